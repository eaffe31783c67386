// livekit-client puts the media token into the address of its WebSocket, and the access log of every proxy on the way keeps addresses. The
// build puts these two in the place of the browser's own (see `inject` in build.mjs), which send the token in a header: for WebSockets the
// only one that browsers let a page set is the list of subprotocols.

const TOKEN = "access_token";

/** Under which the gateway takes the token as a subprotocol; none where the media server is reached without it. */
let subprotocol: string | undefined;

/** Says what the gateway takes, as of its last answer. */
export function useSubprotocol(name: string | undefined): void {
  subprotocol = name;
}

/** An address without the token that was in it, if it is to be sent otherwise. */
function withoutToken(address: string): [string, string | null] {
  const url = new URL(address, location.href);
  const token = subprotocol === undefined ? null : url.searchParams.get(TOKEN);
  if (token === null) return [address, null];
  url.searchParams.delete(TOKEN);
  return [url.toString(), token];
}

function opened(address: string | URL, protocols: string | string[] | undefined): [string, string | string[] | undefined] {
  const [bare, token] = withoutToken(address.toString());
  return [bare, token === null ? protocols : [`${subprotocol}`, `${subprotocol}.bearer.${token}`]];
}

class TokenSocket extends globalThis.WebSocket {
  constructor(address: string | URL, protocols?: string | string[]) {
    super(...opened(address, protocols));
  }
}

function tokenFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  if (input instanceof Request) return globalThis.fetch(input, init);
  const [bare, token] = withoutToken(input.toString());
  if (token === null) return globalThis.fetch(input, init);
  return globalThis.fetch(bare, { ...init, headers: { Authorization: `Bearer ${token}` } });
}

export { TokenSocket as WebSocket, tokenFetch as fetch };
