// SPDX-License-Identifier: Apache-2.0
// An OpenID Connect provider for the tests:  node oidc.mjs PORT CERT KEY JWKS
// Anybody logs in with any password; who is "alice" is in the groups night and day.
// node oidc.mjs keys NAME >JWKS makes keys (ES256, RS256); node oidc.mjs sign JWKS HEADER CLAIMS
// prints a token, signed as the header says, whatever that is.
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';

const [, , what, ...args] = process.argv;
const base64 = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url');

if (what === 'keys') {
    const jwk = (pair, more) => ({ ...pair.privateKey.export({ format: 'jwk' }), use: 'sig', ...more });
    console.log(JSON.stringify({ keys: [
        jwk(crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }), { kid: `${args[0]}-ec`, alg: 'ES256' }),
        jwk(crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }), { kid: `${args[0]}-rsa`, alg: 'RS256' }),
    ] }));
} else if (what === 'sign') {
    const [file, head, claims] = args;
    const header = JSON.parse(head), text = `${base64(header)}.${base64(JSON.parse(claims))}`;
    const { keys } = JSON.parse(fs.readFileSync(file, 'utf8'));
    const key = (kty) => crypto.createPrivateKey({ format: 'jwk', key: keys.find((k) => k.kty === kty) });
    const pub = (kty) => crypto.createPublicKey(key(kty)).export({ format: 'pem', type: 'spki' });
    const by = {
        ES256: () => crypto.sign('sha256', text, { key: key('EC'), dsaEncoding: 'ieee-p1363' }),
        RS256: () => crypto.sign('sha256', text, key('RSA')),
        PS256: () => crypto.sign('sha256', text, { key: key('RSA'), padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
        HS256: () => crypto.createHmac('sha256', pub('RSA')).update(text).digest(),
        none: () => Buffer.alloc(0),
    };
    console.log(`${text}.${by[header.alg]().toString('base64url')}`);
} else {
    const [cert, key, jwks] = args;
    const { default: Provider } = await import('oidc-provider');
    const issuer = `https://127.0.0.1:${what}`;
    const provider = new Provider(issuer, {
        jwks: JSON.parse(fs.readFileSync(jwks, 'utf8')),
        clients: [{
            client_id: 'fc',
            application_type: 'native',
            token_endpoint_auth_method: 'none',
            grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
            redirect_uris: ['http://127.0.0.1/callback'],
            id_token_signed_response_alg: 'ES256',
        }],
        cookies: { keys: ['test'] },
        claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
        conformIdTokenClaims: false,
        features: { deviceFlow: { enabled: true } },
        scopes: ['openid', 'offline_access', 'profile'],
        ttl: { IdToken: () => Number(process.env.OIDC_TTL ?? 3600), AccessToken: 3600, Grant: 3600, Interaction: 600, Session: 600, DeviceCode: 600, RefreshToken: 3600 },
        issueRefreshToken: async () => true,
        rotateRefreshToken: true,
        findAccount: async (ctx, id) => ({
            accountId: id,
            claims: async () => ({ sub: id, preferred_username: id, groups: id === 'alice' ? ['night', 'day'] : [] }),
        }),
    });
    provider.proxy = true;
    https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, provider.callback())
        .listen(Number(what), '127.0.0.1', () => console.log('ready'));
}
