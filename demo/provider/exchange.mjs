// Token exchange (RFC 8693): an agent trades a user's access token for one of its own, which says that the
// agent acts for the user. oidc-provider leaves this grant to whoever needs it.

import { createLocalJWKSet, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

export const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = ['resource', 'scope', 'subject_token', 'subject_token_type', 'requested_token_type'];

/// Lets the clients that have the grant use it. `acting` is told who acts with a token.
export function register(provider, { keys, resourceServer, acting }) {
  provider.registerGrantType(GRANT, async (ctx, next) => {
    const { client, params } = ctx.oidc;
    if (params.subject_token_type !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest('subject_token_type must be an access token');
    }
    if ((params.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest('requested_token_type must be an access token');
    }
    const server = resourceServer(params.resource);
    const subject = await verified(params.subject_token, provider.issuer, params.resource, keys);
    // No more than the user's token allows.
    const held = new Set((subject.scope ?? '').split(' '));
    const asked = (params.scope ?? subject.scope ?? '').split(' ').filter(Boolean);
    if (asked.some((scope) => !held.has(scope))) {
      throw new errors.InvalidScope('the subject token has less', params.scope);
    }

    const token = new provider.AccessToken({
      accountId: subject.sub,
      client,
      gty: GRANT,
      scope: asked.join(' '),
    });
    token.resourceServer = new provider.ResourceServer(params.resource, server);
    acting.set(token, { sub: client.clientId, ...(subject.act && { act: subject.act }) });
    ctx.oidc.entity('AccessToken', token);
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: token.scope,
    };
    await next();
  }, PARAMETERS);
}

/// The claims of a user's access token of ours, for this resource.
async function verified(token, issuer, audience, keys) {
  const options = { issuer, audience, typ: 'at+jwt', requiredClaims: ['exp', 'sub', 'client_id'] };
  const checked = await jwtVerify(token ?? '', createLocalJWKSet(keys.open), options).catch(() => {
    throw new errors.InvalidGrant('the subject token is none of ours, or not for this resource');
  });
  if (checked.payload.sub === checked.payload.client_id) {
    throw new errors.InvalidGrant('there is no user in the subject token');
  }
  return checked.payload;
}
