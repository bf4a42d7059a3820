import type { MilvusContext } from "../../src/ports/step-context.ts";

/**
 * A context whose Milvus has something happen around its calls.
 * @param around gets the call's name, its arguments, and what makes it; answers what the call answers
 */
export function aroundCalls<Context extends Pick<MilvusContext, "connectMilvus">>(
  context: Context,
  around: (call: string, args: readonly unknown[], make: () => Promise<unknown>) => Promise<unknown>,
): Context {
  return {
    ...context,
    connectMilvus: async (environment) =>
      new Proxy(await context.connectMilvus(environment), {
        get: (of, property) => {
          const value: unknown = Reflect.get(of, property, of);
          if (typeof value !== "function") return value;
          return (...args: unknown[]) => around(String(property), args, async () => Reflect.apply(value, of, args));
        },
      }),
  };
}
