# Runs a server for as long as somebody holds our stdin: its end is the end of the test process, however that ended, and
# then the server is killed. Until then each line of stdin is the name of a signal for the server.
# Ends with the server, and with its exit status. Whoever ends the whole process group asks this one too, and a server may take its time,
# so what kills it in the end minds no such signal.
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{
    trap '' HUP INT TERM
    while read -r signal <&3; do kill -s "$signal" "$server"; done
    kill -s KILL "$server"
} &
holder=$!
exec 3<&-
wait "$server"
status=$?
kill -s KILL "$holder"
exit "$status"
