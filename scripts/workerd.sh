#!/bin/sh
# Runs workerd for scripts/serve.ts. Ctrl-C reaches every process of the terminal: workerd ignores it, so
# that the server can let running requests finish. Its process id goes to a file (exec keeps the id), and
# it goes down with its parent even where that one was killed.
trap '' INT
echo $$ > "$ROUTERO_WORKERD_PID"
(
  exec < /dev/null > /dev/null 2>&1 3>&-
  while kill -0 "$PPID"; do sleep 1; done
  kill -TERM $$
) &
exec "$ROUTERO_WORKERD" "$@"
