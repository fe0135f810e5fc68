/** @type {import('@webqit/webflo').Handler} */
export default async function (event) {
    "use live";
    const data = { progress: 0 };

    setInterval(() => {
        data.progress += 10;
    }, 1000);

    return data;
}
