import { expect, it } from "vitest";
import { orgRoutingOf } from "../../worker/core/router-settings.ts";

it("a cooldown of 0 is none, unless the switch says otherwise", () => {
  const all = (stored: Record<string, number | boolean>) => orgRoutingOf(stored).all;
  expect(all({ cooldown_time: 0 })).toEqual({ cooldowns: false });
  expect(all({ cooldown_time: 30 })).toEqual({ cooldown: 30_000 });
  expect(all({ cooldown_time: 0, disable_cooldowns: false })).toEqual({ cooldowns: true });
});
