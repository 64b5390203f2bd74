// The provider: who its clients and its people are, and what its access tokens look like (RFC 9068).

import Provider, { errors } from 'oidc-provider';

import * as exchange from './exchange.mjs';
import { ALGORITHMS } from './keys.mjs';

const SCOPES = 'crm.read crm.write';
const RESOURCES = ['https://api.crm.example', 'https://billing.crm.example'];
// Access tokens for this one say nothing to anybody but the provider.
const OPAQUE_RESOURCE = 'https://opaque.crm.example';
const PEOPLE = {
  ada: { roles: ['editor'], org_id: 'acme' },
};

// The secrets are everybody's: this provider listens on the loopback interface for the length of a test.
const CLIENTS = [
  {
    client_id: 'support-bot',
    client_secret: 'a secret that everybody knows',
    grant_types: ['client_credentials', exchange.GRANT],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: 'ES256',
  },
  {
    client_id: 'crm-web',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://127.0.0.1/callback'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: 'RS256',
  },
  // Asks what opaque tokens are, and does nothing else.
  {
    client_id: 'crm gateway',
    client_secret: 'a secret: 100% of everybody & his dog know it',
    grant_types: [],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  },
];

/// A provider that signs with `keys`. Another one with other keys may follow: what people and clients have
/// under way is kept in memory outside of it.
export function create(issuer, keys) {
  // Who acts with a token that is about to be issued.
  const acting = new WeakMap();

  const provider = new Provider(issuer, {
    clients: CLIENTS,
    jwks: keys.secret,
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    scopes: ['openid'],
    cookies: { keys: ['a secret for cookies that everybody knows'] },
    pkce: { required: () => true },
    ttl: { Grant: 600, IdToken: 300, Interaction: 600, Session: 600 },
    findAccount: (ctx, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id }) },
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'crm gateway' },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => client.clientId === token.clientId },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource, client) => resourceServer(resource, client),
      },
    },
    extraTokenClaims: (ctx, token) => ({
      ...PEOPLE[token.accountId],
      // Who acts, and what the login knows of it.
      ...(acting.has(token) && { act: acting.get(token), agent_confidence: 0.9 }),
    }),
  });
  exchange.register(provider, { keys, resourceServer, acting });
  return provider;
}

/// What an access token for `resource` is (RFC 8707).
function resourceServer(resource, client) {
  const about = { audience: resource, scope: SCOPES, accessTokenTTL: 300 };
  if (resource === OPAQUE_RESOURCE) return { ...about, accessTokenFormat: 'opaque' };
  if (!RESOURCES.includes(resource)) throw new errors.InvalidTarget();
  const alg = client?.idTokenSignedResponseAlg ?? 'ES256';
  return { ...about, accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
}

/// Says yes for whoever is asked: Ada logs in, and consents to everything.
export async function approve(provider, request, response) {
  const { prompt, params } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const result = { login: { accountId: 'ada' } };
    return provider.interactionFinished(request, response, result);
  }
  const grant = new provider.Grant({ accountId: 'ada', clientId: params.client_id });
  grant.addOIDCScope('openid');
  for (const resource of [params.resource].flat()) grant.addResourceScope(resource, params.scope);
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result);
}
