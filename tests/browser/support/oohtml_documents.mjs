// Documents that OOHTML and the host must show alike: what stands in the head and the body, and the states that they
// are shown with, one after the other. They keep to what OOHTML 5.0 itself does right: one comment binding in an element
// (with two, both show the last), no index of an item (the first time it is the last one's), and `?.` for names that
// come later.

const TEXTS = { title: "Tea & <b>cake</b>", zero: 0, no: false, nothing: null, list: [1, [2, 3]], object: { a: 1 }, quoted: `a "b" 'c'\u00a0d` };
const ITEMS = { list: [{ id: 7, name: "one" }, { id: 8, name: "two" }], map: { a: 1, b: "x" }, empty: [], none: null };

/**
 * `isOohtmls` marks what means something else in pages that do not bring OOHTML.
 * @type {Record<string, { head?: string, body: string, states: object[], isOohtmls?: boolean }>}
 */
export const DOCUMENTS = {
  "an expression in a processing instruction": {
    body: `<p>before <?{ data.title }?> after</p><p><?{ data.zero }?></p><p><?{ data.no }?></p>`,
    states: [TEXTS, { title: "", zero: 1, no: true }, { title: "longer than before", zero: null }],
  },
  "an expression in a comment": {
    body: `<p>before <!--?{ data.title }?--> after</p><p>a<!--?{data.zero}?-->b</p><p><!--?{ data.quoted }?--></p>`,
    states: [TEXTS, { title: "x" }],
  },
  "nothing for what is missing, and for an error": {
    body: `<p>[<?{ data.nothing }?>]</p><p><?{ data.unknown }?></p><p><?{ data.unknown?.deeper }?></p><p><?{ unknown }?></p><p><?{ data.title }?></p>`,
    states: [TEXTS, { nothing: "now", unknown: "there" }],
  },
  "lists and objects as texts": {
    body: `<p><?{ data.list }?></p><p render="#text: data.object"></p><p render="~title: data.list"></p>`,
    states: [TEXTS],
    isOohtmls: true,
  },
  "operators and quotes": {
    body: `<p><?{ data.zero ? 'yes' : "no" }?></p><p><?{ data.title + '!' }?></p><p><?{ \`\${ data.zero }%\` }?></p><p><!--?{ data.zero < 1 && data.title }?--></p>`,
    states: [TEXTS, { zero: 5, title: "t" }],
  },
  "texts between elements": {
    body: `<div><b>1</b><?{ data.title }?><i>2</i></div><div>0 <?{ data.zero }?> <u>3</u></div><pre>\n\n<?{ data.title }?>\n</pre>`,
    states: [TEXTS, { title: "x", zero: "" }],
  },
  "line breaks in a text": {
    body: `<p>[<?{ data.text }?>]</p><pre><?{ data.text }?></pre>`,
    states: [{ text: "a\nb\r\nc" }, { text: "\nfirst" }],
  },
  "every kind of attribute": {
    body: `<p render="#text: data.title; ~title: data.quoted; ~data-n: data.zero; ~lang: data.nothing; ~?hidden: data.no;
        ~?data-flag: data.title; %on: data.title; %off: data.nothing; &color: data.color; &--gap: data.gap; &fontSize: data.size"
        class="off was"></p>`,
    states: [{ ...TEXTS, color: "red", gap: "4px", size: "12px" }, { title: "", no: true, color: "blue", gap: "1px", size: "9px" }],
  },
  "markup that is trusted": {
    body: `<p render="#html: data.title">before</p>`,
    states: [TEXTS, { title: "<i>x</i>" }],
  },
  "a list of an array": {
    body: `<ul render="#items: (item, i) of data.list / 'row'"><template def="row" scoped>
        <li><?{ item?.name }?><i render="#text: data?.list?.length; ~title: item?.id"></i></li></template></ul>`,
    states: [ITEMS, { list: [{ name: "zero" }, ...ITEMS.list] }, { list: [] }, { list: null }, ITEMS],
  },
  "a list of an object": {
    body: `<ol render="#items: (key, value, i) in data.map / 'row'"><template def="row" scoped><li><b><?{ key }?></b>=<i><?{ value }?></i></li></template></ol>`,
    states: [ITEMS, { map: { b: 2, c: 3 } }],
  },
  "a list with other children": {
    body: `<ul render="#items: item of data.list / 'row'"><li>first <?{ data?.list?.length }?></li><template def="row" scoped><li render="#text: item?.name"></li></template></ul>`,
    states: [ITEMS, { list: [{ name: "x" }] }],
  },
  "lists in lists": {
    body: `<div render="#items: (row) of data.rows / 'row'"><template def="row" scoped><p><b><?{ row?.name }?></b>
        <i render="#items: (cell, i) of row?.cells / 'cell'"><template def="cell" scoped><u><?{ row?.name + cell }?></u></template></i></p></template></div>`,
    states: [{ rows: [{ name: "a", cells: [1, 2] }, { name: "b", cells: [] }] }, { rows: [{ name: "c", cells: ["x"] }] }],
  },
  "a template of the document for a list": {
    head: `<template def="rows"><li def="row"><?{ item?.name }?></li><li def="other">no</li></template>`,
    body: `<ul render="#items: (item) of data.list / 'rows#row'"></ul><ul render="#items: (item) of data.list / '/rows'"></ul>`,
    states: [ITEMS],
  },
  "an import of a template": {
    head: `<template def="card"><article><h2><?{ data.title }?></h2></article><p>two</p></template>`,
    body: `<import ref="card">default</import><hr><import ref="card">again</import>`,
    states: [TEXTS, { title: "other" }],
  },
  "an import of a fragment": {
    head: `<template def="parts"><b def="one"><?{ data.title }?></b><b def="two">2</b></template>`,
    body: `<p>[<import ref="parts#two"></import>|<import ref="parts#one"></import>|<import ref="parts#none">is <?{ data.zero }?></import>]</p>`,
    states: [TEXTS, { title: "t", zero: 9 }],
  },
  "an import of nothing": {
    body: `<import ref="nowhere">shows <b><?{ data.title }?></b></import><import>no ref</import>`,
    states: [TEXTS, { title: "t" }],
  },
  "templates in templates": {
    head: `<template def="app"><p def="top">top</p><template def="shop"><p def="card"><?{ data.title }?></p>
        <template def="deep"><i>deep</i></template></template></template>`,
    body: `<import ref="app#top"></import><import ref="app/shop#card"></import><import ref="/app/shop/deep"></import><import ref="app"></import>`,
    states: [TEXTS],
  },
  "a context of imports": {
    head: `<template def="app"><p def="page">root</p><template def="shop"><p def="page">shop <?{ data.title }?></p></template></template>`,
    body: `<main importscontext="/app"><import ref="#page"></import><div importscontext="shop"><import ref="#page"></import></div></main>
        <div importscontext="/app/shop"><import ref="#page">no</import><import ref="#none">default</import></div>`,
    states: [TEXTS],
  },
  "a context by its name": {
    head: `<template def="app"><template def="a"><p def="x">a</p></template><template def="b"><p def="x">b</p></template></template>`,
    body: `<div contextname="outer" importscontext="/app/a"><div importscontext="/app/b"><import ref="#x"></import><import ref="@outer#x"></import></div></div>`,
    states: [{}],
  },
  "templates that extend and inherit": {
    head: `<template def="app"><template def="base"><p def="x">base x</p><p def="y">base y</p></template>
        <template def="more" extends="base"><p def="y">more y</p></template>
        <template def="most" inherits="base"><p def="z">z</p></template><template def="all" inherits="*"></template></template>`,
    body: `<import ref="app/more#x">1</import><import ref="app/more#y">2</import><import ref="app/most/base#x">3</import><import ref="app/all/base#y">4</import>`,
    states: [{}],
  },
  "scoped templates hide those around them": {
    head: `<template def="a"><p>document a</p></template><template def="b"><p>document b</p></template>`,
    body: `<section><template def="a" scoped><p>near a</p></template><import ref="a"></import><import ref="b">not near</import><import ref="/b"></import></section>`,
    states: [{}],
  },
  "imports in what is imported": {
    head: `<template def="icons"><svg def="dot" viewBox="0 0 2 2"><circle r="1"></circle></svg></template>
        <template def="card"><p><import ref="/icons#dot"></import> <?{ data.title }?></p></template>`,
    body: `<import ref="card"></import>`,
    states: [TEXTS],
  },
  "imports in the items of a list": {
    head: `<template def="icons"><i def="dot">*</i></template>`,
    body: `<ul render="#items: (item) of data.list / 'row'"><template def="row" scoped><li><import ref="/icons#dot"></import><?{ item?.name }?></li></template></ul>`,
    states: [ITEMS, { list: [ITEMS.list[1]] }],
  },
  "names of an element": {
    body: `<div bindings="{ who: Ada }"><p><?{ who }?></p><p><?{ data.title }?></p><p render="~title: who" bindings="{ who: Bob }"><?{ who }?></p></div>`,
    states: [TEXTS],
  },
  "hostile texts": {
    body: `<p><?{ data.x }?></p><p render="#text: data.x; ~title: data.x; ~data-x: data.x"></p><ul render="#items: (m) of data.xs / 'm'"><template def="m" scoped><li><?{ m }?></li></template></ul>`,
    states: [{ x: `--><script>alert(1)</script><!--"'>`, xs: [`?{ data.x }?`, `<import ref="a">`, "&lt;b&gt;"] }],
  },
};
