answer=$1 running=$2 server=$3
shift 3
exec 3<&0 0<&1 1>&2
ours() {
  [ ! -d /proc/self/fd ] || [ "/proc/$server/fd/0" -ef "$running" ]
}
watch() {
  trap '' HUP INT TERM
  while read -r word; do
    if ! kill -0 "$server" || ! ours; then exit; fi
    printf '%s\n' "$word" >"$answer"
  done
  for try in 1 2; do
    if ours; then kill -INT "$server"; fi
    exec 0</dev/null
    sleep 1
  done
}
if [ "$server" = new ]; then
  server=$$
  ( (exec 0<&3 3<&-; watch) & )
  exec "$@" 3<&-
else
  exec 0<&3 3<&-
  watch
fi
