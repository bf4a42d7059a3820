import { isIP } from "node:net";
import type { MiddlewareHandler } from "hono";
import { bearerAuth } from "hono/bearer-auth";

/** Names by which a machine calls itself. */
const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\]|::1)$/;

/** Whether only programs of this machine reach what listens there. */
export function isLoopback(host: string): boolean {
  return loopback.test(host);
}

/**
 * Who may ask. With a token whoever has it; without one, whoever gets here, but no page in a browser: a page of another site can send a request to
 * 127.0.0.1, by that name or (DNS rebinding) by one of its own, and the API starts restores.
 */
export function guard({ host, token }: { readonly host: string; readonly token?: string }): MiddlewareHandler {
  if (token !== undefined) {
    const message = { error: "send the server's token: Authorization: Bearer TOKEN" };
    const refused = { message };
    return bearerAuth({
      token,
      noAuthenticationHeader: refused,
      invalidAuthenticationHeader: refused,
      invalidToken: refused,
    });
  }
  return async (c, next) => {
    const asked = c.req.header("host") ?? "";
    const name = asked.replace(/:\d+$/, "");
    if (isLoopback(host) && !isLoopback(name)) {
      return c.json(
        {
          error: `this server listens on ${host} and is asked as ${name}: use http://${host}, or start it with a token`,
        },
        403,
      );
    }
    const origin = c.req.header("origin");
    const site = c.req.header("sec-fetch-site");
    const foreign =
      (origin !== undefined && originHost(origin) !== asked) || site === "cross-site" || site === "same-site";
    if (foreign) return c.json({ error: "a page of another site asks: start the server with a token" }, 403);
    return next();
  };
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** `[::1]` for an IPv6 address, as URLs have it. */
export function urlHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
