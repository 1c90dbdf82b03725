import { describe, expect, it } from "vitest";
import { checkEgress } from "../../worker/providers/egress.ts";

const open = { allowPrivateUpstreams: true };
const shut = { allowPrivateUpstreams: false };

describe("the guard on configurable URLs", () => {
  it.each([
    "https://api.openai.com/v1",
    "https://8.8.8.8/v1",
    "https://[2606:4700::1111]/v1",
    "https://example.com.:8443/v1",
  ])("lets a public https address through: %s", (url) => {
    expect(checkEgress(url, shut).protocol).toBe("https:");
  });

  it.each([
    "http://127.0.0.1:8080/v1",
    "http://localhost/v1",
    "http://10.1.2.3/v1",
    "http://192.168.0.9",
    "http://[::1]:9000",
    "http://[fd12::1]/v1",
    "http://2130706433/v1",
    "http://0x7f.1/v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://ollama.internal/v1",
    "http://ollama:11434/v1",
    "http://100.64.0.1/",
  ])("lets a private address through only where that is allowed: %s", (url) => {
    expect(checkEgress(url, open).href).toContain("http");
    const secure = url.replace("http:", "https:");
    expect(() => checkEgress(secure, shut)).toThrow(/private address/);
  });

  it.each([
    "http://169.254.169.254/latest/meta-data",
    "http://2852039166/latest",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://[::ffff:169.254.169.254]/",
    "http://metadata.google.internal/",
    "http://METADATA.google.internal./",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "http://100.100.100.200/",
  ])("refuses link-local, metadata and reserved addresses always: %s", (url) => {
    expect(() => checkEgress(url, open)).toThrow(/never allowed/);
  });

  it.each([
    ["ftp://example.com", /https/],
    ["file:///etc/passwd", /https/],
    ["javascript:alert(1)", /https/],
    ["not a url", /absolute URL/],
    ["", /absolute URL/],
    ["https://user:pw@example.com/", /credentials/],
    ["https://example.com/v1?key=1", /query/],
    ["https://example.com/v1#x", /fragment/],
    ["http://example.com/v1", /must be https/],
  ])("refuses %s", (url, why) => {
    expect(() => checkEgress(url, shut)).toThrow(why);
  });
});
