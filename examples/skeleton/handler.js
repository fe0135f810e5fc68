import Observer from '@webqit/observer';

/** @type {import('@webqit/webflo').Handler} */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const data = {
    menu: [
      { name: 'Home', href: '/' },
      { name: 'About', href: '/about' },
      { name: 'Contact', href: '/contact' },
    ],
    content: {
      header: 'Loading...',
      body: /** @type {{ text: string }[]} */ ([]),
    },
  };

  event.waitUntil(fill());

  return data;

  async function fill() {
    const someData = await getJSON('/skeleton/data');
    Observer.set(data.content, 'header', someData.header);

    Observer.proxy(data.content.body).push(
      { text: 'Inventory 1:' + someData.items[0] },
      { text: 'Inventory 2:' + someData.items[1] }
    );

    const someData2 = await getJSON('/skeleton/data2');
    Observer.proxy(data.content.body).push(
      { text: 'Inventory 3:' + someData2.items[0] },
      { text: 'Inventory 4:' + someData2.items[1] }
    );
  }

  /** @param {string} path */
  async function getJSON(path) {
    const response = await fetch(new URL(path + event.url.search, event.url));
    return await response.json();
  }
}
