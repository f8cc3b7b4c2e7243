// SPDX-License-Identifier: MIT
//
// "Naming and referencing containers, blobs, and metadata".

import { Container, bytes, is, newContainer, newName, same } from './objects.mjs';
import { send } from './wire.mjs';

const NAMES = [
  'a', 'A', 'a b', ' a', 'a+b', 'a%b', 'a%20b', 'a&b=c', 'a?b', 'a#b', 'a"b', "a'b", 'a<b>', 'a;b', 'a:b',
  'a,b', 'a@b', 'a$b', '(a)[b]{c}', '~a!', 'a*b', 'a|b^c`', 'é', 'e\u0301', '日本語', '😀', 'a/b/c', 'a//b',
  '.a', 'a.b', '-', 'con', 'x'.repeat(1024), 'é'.repeat(1024), Array(254).fill('s').join('/'),
];

export default function define(check) {
  const shown = (name) => (name.length > 24 ? `${name.slice(0, 12)}… (${[...name].length} characters)` : name);

  for (const name of NAMES) {
    check(`a blob named "${shown(name)}"`, async () => {
      const container = await newContainer();
      const blob = container.blob(name);
      (await blob.create(512)).must(201);
      (await blob.put(0, bytes(512))).must(201);
      same((await blob.get()).must(200).body, bytes(512), 'the blob');
      is((await container.names()).join('|'), name, 'in the list');
      (await blob.delete()).must(202);
    });
  }
  check('a backslash is a slash', async () => {
    const container = await newContainer();
    (await container.blob('a\\b').create(512)).must(201);
    is((await container.names()).join('|'), 'a/b', 'in the list');
    (await container.blob('a/b').put(0, bytes(512))).must(201);
    same((await container.blob('a\\b').get()).must(200).body, bytes(512), 'the blob');
    (await container.blob('c').copy(container.blob('a\\b').url())).must(202);
    (await container.blob('a\\b').delete()).must(202);
    (await container.blob('a/b').head()).must(404);
  });
  check('no folders in the root container: 400', async () => {
    const root = new Container('$root');
    (await root.create()).must([201, 409]);
    const name = newName('r');
    for (const path of [`${name}/b`, `${name}\\b`, `/${name}`]) {
      (await root.blob(path).create(512)).must(400);
    }
    const short = `${root.path.replace('/$root', '')}/${name}%2Fb`;
    (await send('PUT', short, '', { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': 512 })).must([400, 404]);
    is((await root.names(`prefix=${name}`)).length, 0, 'blobs');
    (await root.blob(name).create(512)).must(201);
    (await root.blob(name).delete()).must(202);
  });
  check('names differ by case, and by how a letter is composed', async () => {
    const container = await newContainer();
    const names = ['a', 'A', 'é', 'e\u0301', 'a b', 'a+b', 'a%20b'];
    for (const [i, name] of names.entries()) {
      (await container.blob(name).create(512 * (i + 1))).must(201);
    }
    for (const [i, name] of names.entries()) {
      (await container.blob(name).head()).must(200).has({ 'content-length': String(512 * (i + 1)) });
    }
  });
  for (const [what, name] of [
    ['of 1025 characters', 'x'.repeat(1025)],
    ['of 255 segments', Array(255).fill('s').join('/')],
  ]) {
    check(`no blob named ${what}: 400`, async () => {
      (await (await newContainer()).blob(name).create(512)).must(400);
    });
  }
  // A name is what was sent, or it is refused; it is never a way to somewhere else.
  for (const path of ['%2e%2e%2f%2e%2e%2fetc%2fpasswd', '..%2f..%2fx', '%2e', '%2e%2e', '%2e%2e/%2e%2e/x', 'a/%2e%2e/b', '%2fetc%2fpasswd', 'a%2fb', 'a%5c..%5cb']) {
    check(`a blob named ${path}: as it is, or refused`, async () => {
      const container = await newContainer();
      const target = `${container.path}/${path}`;
      const answer = await send('PUT', target, '', { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': 512 });
      answer.must([201, 400, 403, 404]);
      if (answer.status === 201) {
        const [name, ...others] = await container.names();
        is(others.length, 0, 'other blobs');
        (await container.blob(name).head()).must(200);
        (await container.delete()).must(202);
        (await container.properties()).must(404);
      } else {
        is((await container.names()).length, 0, 'blobs');
      }
    });
  }
  check('the same name encoded in two ways is one', async () => {
    const container = await newContainer();
    (await container.blob('a-b~c').create(512)).must(201);
    (await send('HEAD', `${container.path}/%61%2Db%7Ec`)).must(200);
  });
}
