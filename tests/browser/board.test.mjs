// The shared board: several people, on several workers.

import assert from "node:assert/strict";
import { pages } from "./support/example.mjs";
import { TRANSPORTS } from "./support/visitor.mjs";

/** Where a note is, as the page has it. */
const placed = (window, id) => {
  return window.page.locator(`.note[data-id="${id}"]`).evaluate(({ style }) => {
    return [Number(style.getPropertyValue("--x")), Number(style.getPropertyValue("--y"))];
  });
};

/** Waits until a note is there in another window. */
async function isAt(window, id, [x, y]) {
  const there = ([id, x, y]) => {
    const style = document.querySelector(`.note[data-id="${id}"]`)?.style;
    return style?.getPropertyValue("--x") === `${x}` && style.getPropertyValue("--y") === `${y}`;
  };
  await window.page.waitForFunction(there, [id, x, y]);
}

/** Drags a note by a distance. */
async function drag({ page }, id, right, down) {
  const { x, y } = await page.locator(`.note[data-id="${id}"]`).boundingBox();
  await page.mouse.move(x + 30, y + 30);
  await page.mouse.down();
  await page.mouse.move(x + 30 + right / 2, y + 30 + down / 2, { steps: 4 });
  await page.mouse.move(x + 30 + right, y + 30 + down, { steps: 4 });
  await page.mouse.up();
}

for (const transport of TRANSPORTS) {
  // A host for each: who is there is counted.
  pages(`board over ${transport}`, {
    async "what one does, the others see"({ open }) {
      const ada = await open("/board?name=Ada&colour=0", { transport });
      const grace = await open("/board?name=Grace&colour=1", { transport });
      await ada.shows(".count", "2 people here");
      await grace.shows(".count", "2 people here");
      assert.deepEqual((await ada.all(".people li")).sort(), ["A", "G"]);

      // A pointer, with the name of whose it is.
      const { x, y, width, height } = await ada.page.locator(".board").boundingBox();
      await ada.page.mouse.move(x + width / 2, y + height * 0.9, { steps: 5 });
      await grace.shows(".cursor b", "Ada");
      await grace.page.waitForFunction(() => document.querySelector(".cursor").style.left.startsWith("50"));

      // A note on its way and at its end; who comes late sees it there, too.
      const before = await placed(ada, "welcome");
      await drag(ada, "welcome", 120, 60);
      const after = await placed(ada, "welcome");
      assert.ok(after[0] > before[0] && after[1] > before[1], `${before} to ${after}`);
      await isAt(grace, "welcome", after);
      const late = await open("/board?name=Alan", { transport });
      await isAt(late, "welcome", after);
      await ada.shows(".count", "3 people here");

      // A new note, which the other sees while it is written.
      await grace.page.getByRole("button", { name: "New note" }).click();
      await grace.page.locator(".note.writing").waitFor();
      await grace.page.keyboard.type("From Grace");
      const written = ada.page.locator(".note", { hasText: "Grace" }).last();
      await ada.page.waitForFunction(() => {
        return [...document.querySelectorAll(".note textarea")].some(({ value }) => value === "From Grace");
      });
      assert.equal(await written.getAttribute("data-colour"), "1");

      await late.close();
      await grace.close();
      await ada.shows(".count", "only you");
      await ada.page.waitForFunction(() => document.querySelector(".cursor") === null);
    },
  }, "examples", ["--workers", "2"]);
}

pages("board by keyboard", {
  async "the keyboard moves, writes and removes notes"({ open }) {
    const ada = await open("/board?name=Ada");
    const grace = await open("/board?name=Grace");
    const { page } = ada;
    await ada.connected();
    const note = page.locator('.note[data-id="windows"]');
    await note.focus();
    const [x, y] = await placed(ada, "windows");

    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Shift+ArrowUp");
    await isAt(grace, "windows", [Number((x + 0.01).toFixed(4)), Number((y - 0.05).toFixed(4))]);

    await page.keyboard.press("Enter");
    await page.keyboard.type(" More.");
    await page.keyboard.press("Escape");
    await grace.page.waitForFunction(() => {
      return document.querySelector('.note[data-id="windows"] textarea').value.endsWith(" More.");
    });

    await page.keyboard.press("Delete");
    await grace.page.locator('.note[data-id="windows"]').waitFor({ state: "detached" });
  },
});

pages("board by touch", {
  async "a finger drags a note, and a tap writes in it"({ open }) {
    const window = await open("/board?name=Ada", { touch: true });
    await window.connected();
    const before = await placed(window, "welcome");
    const { x, y } = await window.page.locator('.note[data-id="welcome"]').boundingBox();
    const devtools = await window.page.context().newCDPSession(window.page);
    const touch = (type, right, down) => {
      const touchPoints = type === "touchEnd" ? [] : [{ x: x + 30 + right, y: y + 30 + down }];
      return devtools.send("Input.dispatchTouchEvent", { type, touchPoints });
    };
    await touch("touchStart", 0, 0);
    for (const step of [20, 40, 60, 80]) await touch("touchMove", step, step / 2);
    await touch("touchEnd");

    await window.page.waitForFunction(([x, y]) => {
      const { style } = document.querySelector('.note[data-id="welcome"]');
      return Number(style.getPropertyValue("--x")) > x && Number(style.getPropertyValue("--y")) > y;
    }, before);

    await window.page.locator('.note[data-id="welcome"]').tap();
    await window.page.locator('.note.writing[data-id="welcome"]').waitFor();
  },
});
