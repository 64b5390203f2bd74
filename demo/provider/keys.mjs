// The keys that tokens are signed with: one for each algorithm, and those before it until they are retired.

import { exportJWK, generateKeyPair } from 'jose';

export const ALGORITHMS = ['ES256', 'RS256'];

/// Key pairs; for each algorithm the first one signs.
export class Keys {
  #pairs = [];
  #made = 0;

  /// Makes a pair for each algorithm, which signs from now on.
  async rotate() {
    for (const alg of ALGORITHMS) {
      const pair = await generateKeyPair(alg, { extractable: true });
      this.#made += 1;
      const about = { alg, kid: `${alg.toLowerCase()}-${this.#made}`, use: 'sig' };
      const [secret, open] = await Promise.all(
        [pair.privateKey, pair.publicKey].map(async (key) => ({ ...(await exportJWK(key)), ...about })),
      );
      this.#pairs.unshift({ alg, secret, open });
    }
  }

  /// Forgets all pairs that no longer sign.
  retire() {
    this.#pairs = ALGORITHMS.map((alg) => this.#pairs.find((pair) => pair.alg === alg));
  }

  /// What signs.
  get secret() {
    return { keys: this.#pairs.map((pair) => pair.secret) };
  }

  /// What checks signatures.
  get open() {
    return { keys: this.#pairs.map((pair) => pair.open) };
  }
}
