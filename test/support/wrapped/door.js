// Lets a test hand a change to an organization's control object, as operations do, and read its log.
function wrap(worker) {
  const objectOf = (objects, name) => objects.get(objects.idFromName(name));
  return {
    ...worker,
    async fetch(request, env, ctx) {
      const { pathname } = new URL(request.url);
      if (!pathname.startsWith("/test/")) return worker.fetch(request, env, ctx);
      const { orgId, change, query } = await request.json();
      if (pathname === "/test/apply") {
        const control = objectOf(env.ORG_CONTROL, `org-control/${orgId}`);
        return Response.json(await control.apply(orgId, change));
      }
      const log = objectOf(env.AUDIT_LOG, `audit-log/${orgId}`);
      return Response.json(await log.list(orgId, query));
    },
  };
}
