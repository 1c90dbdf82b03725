// Lets a test hand a change to an organization's control object, as operations do.
function wrap(worker) {
  return {
    ...worker,
    async fetch(request, env, ctx) {
      if (new URL(request.url).pathname !== "/test/apply") return worker.fetch(request, env, ctx);
      const { orgId, change } = await request.json();
      const objects = env.ORG_CONTROL;
      const control = objects.get(objects.idFromName(`org-control/${orgId}`));
      return Response.json(await control.apply(orgId, change));
    },
  };
}
