# Comments as this library writes them, for Doxygen: a field's comment stands behind it, or above it after two slashes, and
# one comment holds for the declarations that follow each other without an empty line. Functions that are deleted or
# defaulted are left out, for their line says all.
function indent(line) { match(line, /^ */); return RLENGTH }
/ = (delete|default);/ && !/^ *\/\// { print ""; next }
/^ *\/\/\/? / {
  sub(/\/\/\/? /, "/// ")
  if (!in_comment) comment = ""
  in_comment = 1
  comment = comment $0 "\n"
  print
  next
}
{
  behind = match($0, /[;,)}{] +\/\/ /)
  if (behind) sub(/\/\/ /, "///< ", $0)
  if ($0 ~ /^ *$|^ *[}#]|^ *(public|protected|private):|\{ *(\/\/.*)?$/) {
    # a block begins or ends, or there is a gap
    if ($0 !~ /\{ *(\/\/.*)?$/ || !in_comment) comment = (ended && $0 ~ /\{ *$/ && $0 !~ /^ *(struct|class|enum|namespace)/ && comment != "" && indent($0) == at) ? comment : ""
  }
  if (ended && !in_comment && comment != "" && !behind && indent($0) == at && $0 !~ /^ *[}#]/) printf "%s", comment
  print
  if (in_comment) at = indent($0)
  in_comment = 0
  ended = $0 ~ /[;}] *(\/\/.*)?$/
}
