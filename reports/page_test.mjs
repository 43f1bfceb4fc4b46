// page_test: looks at the report's page in Chromium, as its readers do.
//
//   node reports/page_test.mjs [RUN…]
//   node reports/page_test.mjs --speed      only the times, ten times over
//
// The page of a made-up run at full size (50 allocators, 40 settings) and of the newest real run, where
// there is one, is opened in light, dark, at 360 px, on paper and without scripts. Nothing may be said on
// the console, no request may leave, axe-core may find nothing, the page may never scroll sideways; the
// controls must do what they say and the address must keep it. Screenshots go to reports/out/screenshots.
// Made-up runs are of what heapyard-bench of the build in HEAPYARD_BUILD (default build/debug) lists.
// Times are printed, not asserted: this machine is shared.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const pictures = path.join(root, 'reports/out/screenshots');
const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run',
  '--disable-component-update', '--disable-sync',
];
const desk = { width: 1280, height: 900 };
const sizes = { light: desk, dark: desk, phone: { width: 360, height: 740 } };

const scratch = mkdtempSync(path.join(os.tmpdir(), 'heapyard-page-'));
const python = (...args) =>
  execFileSync('/usr/bin/python3', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }).toString();

function syntheticPage(name, ...args) {
  const folder = path.join(scratch, name);
  python('scripts/yard/testdata/synthetic.py', folder, ...args);
  return python('scripts/report', folder, '--format', 'path').trim();
}

function latestPage() {
  const file = path.join(root, 'reports/out/latest/index.html');
  return existsSync(file) ? file : null;
}

// A page that may neither speak nor ask.
async function open(browser, file, { hash = '', ...options } = {}) {
  const permissions = ['clipboard-read', 'clipboard-write'];
  const context = await browser.newContext({ ...options, permissions });
  const page = await context.newPage();
  const said = [];
  page.on('console', message => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', error => said.push(`error: ${error.message}`));
  page.on('request', request => {
    if (!/^(file|data):/.test(request.url())) said.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href + hash, { waitUntil: 'load' });
  if (options.javaScriptEnabled !== false)
    await page.waitForFunction(() => !document.querySelector('noscript.later'));
  return { page, context, said };
}

async function findNothing(page, where) {
  const found =
    await page.evaluate(`(() => { ${axe}; return axe.run(document, { resultTypes: ['violations'] }); })()`);
  const lines =
    found.violations.flatMap(v => v.nodes.slice(0, 3).map(n => `${v.id}: ${v.help}: ${n.target}`));
  assert.deepEqual(lines, [], `axe-core, ${where}`);
  assert.ok(found.passes.length > 15, `axe-core looked at too little, ${where}`);
}

async function neverSideways(page, where) {
  const [needs, has] =
    await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(needs <= has, `${where}: the page is ${needs} px wide on a screen of ${has} px`);
}

const PARTS = ['tradeoff', 'table', 'workloads', 'allocators', 'method'];
// `audited`: in which looks axe-core goes over the page, which at full size takes it seconds; `parts`: the
// sections that get a picture.
async function looks(browser, file, name, { audited = Object.keys(sizes), parts = PARTS } = {}) {
  for (const [kind, viewport] of Object.entries(sizes)) {
    const where = `${name}, ${kind}`;
    const { page, context, said } =
      await open(browser, file, { viewport, colorScheme: kind === 'dark' ? 'dark' : 'light' });
    await neverSideways(page, where);
    await page.screenshot({ path: path.join(pictures, `${name}-${kind}.png`) });
    for (const part of parts) {
      await page.evaluate(id => document.getElementById(id).scrollIntoView(), part);
      await page.screenshot({ path: path.join(pictures, `${name}-${kind}-${part}.png`) });
    }
    if (audited.includes(kind)) await findNothing(page, where);
    await neverSideways(page, where);
    assert.deepEqual(said, [], where);
    await context.close();
    console.log(`ok  ${where}`);
  }
}

// On A4, with the fonts that are here and with others: a monospaced one, and one with wide letters. A
// millimetre must be left, and no cell may hold more than it shows.
const FONTS = {
  'its fonts': '',
  'monospaced letters': '*{font-family:monospace!important}',
  'wide letters': '*{letter-spacing:.06em!important}',
};
const paper = millimetres => Math.floor(millimetres / 25.4 * 96);

async function prints(browser, file, name) {
  const { page, context } = await open(browser, file);
  const pdf = await page.pdf({ path: path.join(pictures, `${name}.pdf`), preferCSSPageSize: true });
  assert.ok(pdf.length > 20000);
  await page.emulateMedia({ media: 'print' });
  const style = await page.evaluateHandle(() => document.head.appendChild(document.createElement('style')));
  for (const [font, css] of Object.entries(FONTS)) {
    await style.evaluate((element, text) => { element.textContent = text; }, css);
    const cut = s => [...document.querySelectorAll(s)]
      .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60));
    const wide = async (width, selector) => {
      await page.setViewportSize({ width, height: 760 });
      return page.evaluate(cut, selector);
    };
    // The text has a portrait page, 184 mm between its margins; the table a landscape page, 279 mm.
    assert.deepEqual(await wide(paper(184), '.cell,.cell th,.cell td:not(:has(svg)),.plot,.list'), [],
      `charts that are cut on paper, ${font}`);
    assert.deepEqual(await wide(paper(279), '#grid thead th,#grid td'), [],
      `the table's cells that are cut on paper, ${font}`);
    const table = await page.evaluate(() => document.getElementById('grid').getBoundingClientRect().right);
    assert.ok(table <= paper(279) + 1, `the table ends at ${table} px on paper of ${paper(279)} px, ${font}`);
  }
  await context.close();
  console.log(`ok  ${name}, on paper with ${Object.keys(FONTS).join(', ')}`);
}

async function withoutScripts(browser, file, name) {
  const options = { javaScriptEnabled: false, viewport: sizes.phone };
  const { page, context, said } = await open(browser, file, options);
  const count = selector => page.locator(selector).count();
  assert.ok(await count('#answers dd') > 0 && await count('#grid tbody tr') > 1
    && await count('.cell td>svg use') > 1);
  assert.equal(
    await page.locator('.controls').first().isVisible(), false, 'controls that do nothing are shown');
  assert.ok(await page.locator('#grid').isVisible());
  await page.screenshot({ path: path.join(pictures, `${name}-without-scripts.png`) });
  assert.deepEqual(said, []);
  await context.close();
  console.log(`ok  ${name}, without scripts`);
}

const column = (page, index) =>
  page.$$eval('#grid tbody tr', (rows, i) => rows.map(row => row.cells[i].textContent.trim()), index);
const names = page => page.$$eval('#grid tbody th a', links => links.map(link => link.textContent));

// The static table and the script's must say the same, up to the last digit: the script's numbers are
// packed to 0.05 %.
function same(ours, theirs, what) {
  assert.equal(ours.length, theirs.length, what);
  let restyled = 0;
  ours.forEach((mine, i) => {
    const [text, style] = mine.split('|'), [otherText, otherStyle] = theirs[i].split('|');
    const numbersOf = given => given.match(/[\d.]+/g)?.map(Number) ?? [];
    const numbers = numbersOf(text), others = numbersOf(otherText);
    assert.equal(text.replace(/[\d.]+/g, '#'), otherText.replace(/[\d.]+/g, '#'), what);
    const near = (x, k) => Math.abs(x - others[k]) <= Math.max(0.01001, 0.006 * x);
    numbers.forEach((x, k) => assert.ok(near(x, k), `${what}: ${text} for ${otherText}`));
    restyled += style !== otherStyle;
  });
  assert.ok(restyled <= ours.length / 50, `${what}: ${restyled} of ${ours.length} look otherwise`);
}

async function agrees(browser, file) {
  const still = await open(browser, file, { javaScriptEnabled: false });
  const live = await open(browser, file);
  const read = page =>
    page.$$eval('#grid tbody td', cells => cells.map(c => c.textContent + '|' + c.className));
  await live.page.selectOption('#reference', '4');
  await live.page.selectOption('#reference', { label: 'libc' });
  same(await read(live.page), await read(still.page), 'table, to another reference and back');
  const strips = page => page.$$eval(
    '.cell tbody td:nth-child(3)', cells => cells.map(c => c.textContent + '|' + c.parentNode.className));
  await live.page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  same(await strips(live.page), await strips(still.page), 'charts, to another reference and back');
  await still.context.close();
  await live.context.close();
  console.log('ok  with and without scripts the numbers are the same');
}

async function controls(browser, file) {
  const { page, context, said } = await open(browser, file, { viewport: sizes.light });
  await page.click('#grid [data-sort="2"]');
  const sorted = (await column(page, 4)).map(Number).filter(x => !Number.isNaN(x));
  assert.deepEqual(sorted, [...sorted].sort((a, b) => a - b), 'sorting by a column');
  assert.equal(await page.getAttribute('#grid thead th:has([data-sort="2"])', 'aria-sort'), 'ascending');
  assert.equal(
    await page.evaluate(() => document.activeElement.dataset.sort), '2', 'focus stays on the header');
  await page.keyboard.press('Enter');
  assert.equal(await page.getAttribute('#grid thead th:has([data-sort="2"])', 'aria-sort'), 'descending');

  await page.fill('#filter', 'malloc');
  assert.ok((await names(page)).length > 0 && (await names(page)).every(name => name.includes('malloc')),
    'filter by name');
  assert.equal(await page.locator('.cell .r0:visible').count(), 0, 'charts follow the filter');
  await page.click('#groups [data-key="floor"]');
  await page.selectOption('#reference', { label: 'jemalloc' });
  assert.equal(await page.textContent('#caption .ref'), 'jemalloc');
  await page.click('#chips .chip >> nth=0');
  assert.equal(await page.locator('#grid thead tr:first-child th').count(), 3, 'one workload chosen');
  await page.click('#metrics [data-key="memory"]');
  await page.selectOption('#theme', 'dark');
  await page.click('nav a[href="#method"]');

  const hash = await page.evaluate(() => location.hash);
  const again = await open(browser, file, { hash, viewport: sizes.light });
  const state = p => p.evaluate(() => {
    const [grid, reference, filter] = ['grid', 'reference', 'filter'].map(id => document.getElementById(id));
    const theme = document.documentElement.dataset.theme;
    return [grid.textContent, theme, reference.value, location.hash, filter.value];
  });
  assert.deepEqual(await state(again.page), await state(page), 'a copied link shows the same');
  assert.ok(await again.page.evaluate(() => scrollY > 500), 'a copied link shows the same section');
  assert.match(
    hash, /ref=jemalloc.*metric=memory.*sort=-2.*find=malloc.*hide=floor.*works=.*theme=dark.*at=method/);
  await again.page.evaluate(() => { location.hash = '#table'; });
  await again.page.waitForFunction(
    () => document.getElementById('reference').selectedOptions[0].textContent === 'libc');

  await again.page.click('#csv');
  await again.page.waitForFunction(() => document.getElementById('said').textContent === 'CSV copied');
  const csv = await again.page.evaluate(() => navigator.clipboard.readText());
  assert.match(csv, /^allocator,mean,/);
  assert.equal(csv.trim().split('\n').length, (await names(again.page)).length + 1);
  await again.page.click('#markdown');
  await again.page.waitForFunction(() => document.getElementById('said').textContent === 'Markdown copied');
  assert.match(await again.page.evaluate(() => navigator.clipboard.readText()),
    /^\| allocator \| mean \|.*\n\|:--\|--:/);
  assert.deepEqual([...said, ...again.said], []);
  await context.close();
  await again.context.close();
  console.log('ok  sorting, filters, reference, theme, copies, address');
}

async function unfinished(browser, file) {
  const { page, context } = await open(browser, file);
  assert.match(await page.textContent('.notice'), /not finished/);
  await context.close();
  await looks(browser, file, 'unfinished', { parts: [] });
  console.log('ok  an unfinished run says so');
}

const CLICKS = {
  sort: '#grid [data-sort="3"]',
  reference: '#reference',
  'workload chip': '#chips .chip',
  measure: '#metrics [data-key="memory"]',
};
// How long a click takes until the next frame is there, and how long the page takes to stand: by the
// clock, and by the processor's time of the page's thread, which other work on the machine stretches less.
async function speed(browser, file) {
  const context = await browser.newContext({ viewport: sizes.light });
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const processor = async () =>
    (await devtools.send('Performance.getMetrics')).metrics.find(m => m.name === 'TaskDuration').value * 1000;
  await page.goto('about:blank');
  const before = await processor();
  await page.goto(pathToFileURL(file).href, { waitUntil: 'commit' });
  const stands = () => performance.getEntriesByType('paint').length && document.readyState === 'complete';
  await page.waitForFunction(stands, undefined, { polling: 10 });
  const load = await page.evaluate(() => {
    const t = performance.getEntriesByType('navigation')[0];
    return [performance.getEntriesByType('paint')[0].startTime, t.domContentLoadedEventEnd - t.responseEnd];
  });
  const loaded = await processor() - before;
  await page.waitForFunction(() => !document.querySelector('noscript.later'));
  await page.locator('#table').scrollIntoViewIfNeeded();
  const click = async selector => {
    const start = await processor();
    const shown = await page.evaluate(async s => {
      const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
      await frame();
      const begin = performance.now();
      const target = document.querySelector(s);
      if (target.tagName === 'SELECT') {
        target.value = 14;
        target.dispatchEvent(new Event('change'));
      } else target.click();
      await frame();
      return performance.now() - begin;
    }, selector);
    return [shown, await processor() - start];
  };
  const [paint, parsed] = load.map(ms => ms.toFixed(0));
  const lines = [`first paint ${paint} ms, all parsed ${parsed} ms (processor ${loaded.toFixed(0)} ms)`];
  for (const [what, selector] of Object.entries(CLICKS)) {
    const [shown, busy] = await click(selector);
    lines.push(`${what} ${shown.toFixed(0)} ms (${busy.toFixed(0)} ms)`);
  }
  const load1 = `load ${os.loadavg()[0].toFixed(1)} on ${os.cpus().length} cores`;
  console.log(`    ${(statSync(file).size / 1000).toFixed(0)} kB; ${lines.join(', ')}; ${load1}`);
  await context.close();
}

async function main() {
  mkdirSync(pictures, { recursive: true });
  const browser =
    await chromium.launch({ executablePath: process.env.HY_CHROMIUM || '/usr/bin/chromium', args: flags });
  try {
    const full = syntheticPage('full', '--rows', '50', '--cells', '40');
    if (process.argv[2] === '--speed') {
      for (let i = 0; i < 10; i++) await speed(browser, full);
      return;
    }
    assert.ok(statSync(full).size <= 1e6, 'the page is larger than 1 MB');
    await agrees(browser, full);
    await controls(browser, full);
    await looks(browser, full, 'full', { audited: ['light'] });
    await prints(browser, full, 'full');
    await withoutScripts(browser, full, 'full');
    await unfinished(browser, syntheticPage('unfinished', '--rows', '12', '--cells', '9', '--unfinished'));
    await speed(browser, full);
    const real = process.argv.slice(2).map(run => path.join(run, 'index.html')).concat(latestPage() ?? []);
    for (const file of real) {
      await looks(browser, file, 'latest');
      await prints(browser, file, 'latest');
      await withoutScripts(browser, file, 'latest');
    }
    if (!real.length) console.log('    no real run to look at: make bench makes one');
  } finally {
    await browser.close();
    rmSync(scratch, { recursive: true });
  }
}

await main();
