# Comments as this library writes them, for Doxygen, line by line:
#   - A comment of two or three slashes above a declaration, or behind it, is its documentation. One of two slashes
#     before an empty line, or before a comment of three, is a heading. Headings, and comments in the bodies of
#     functions, stay as they are.
#   - A comment above a declaration holds also for those that follow it without an empty line or a comment of their own,
#     but not for overrides, which have the documentation of what they override, and not for destructors and what is
#     deleted.
#   - The comment of a declaration of several variables, double low, high;, holds for each of them.
#   - Functions that are defaulted are left out when they have no comment above: their line says all.
#   - The inline namespace of the element type is left out: users write handrail::Tensor.
#   - A backslash in a comment is one, not the start of a command.
function indent(line) { match(line, /^ */); return RLENGTH }
function escaped(line) { gsub(/\\/, "\\\\&", line); return line }
# Prints the comment that was held back, as documentation or as it was.
function flush(is_documentation,  i, text) {
  comment = ""
  for (i = 1; i <= held; ++i) {
    if (is_documentation) {
      sub(/\/\/\/?/, "///", lines[i])
      text = lines[i] = escaped(lines[i])
      sub(/^ *\/\/\/ */, "", text)
      comment = comment " " text
    }
    print lines[i]
  }
  held = 0
}
function is_type(text) {
  while (gsub(/<[^<>]*>/, "", text)) {}
  return text ~ /^ *(template *)?(inline )?(struct|class|enum|union|namespace|extern) /
}
# A declaration of several variables as one of each, on the same line; the others as they are.
function separated(code, text,  type, rest, result) {
  if (!match(code, /^ *((static|constexpr|const) )*[A-Za-z_:]+(<[^;=]*>)? /)) return code
  type = substr(code, 1, RLENGTH)
  rest = substr(code, RLENGTH + 1)
  if (rest !~ /^\*?[a-z_]+( = [^;]*)?(, \*?[a-z_]+( = [^;,]*)?)+;$/) return code
  while (match(rest, /, \*?[a-z_]+( = |,|;)/)) {
    result = result type substr(rest, 1, RSTART - 1) (text == "" ? "; " : "; /**" text " */ ")
    rest = substr(rest, RSTART + 2)
  }
  return result type rest
}

/^(inline namespace|}  \/\/ namespace) HANDRAIL_SCALAR_NAMESPACE/ { flush(0); print ""; next }
in_body {
  print
  if (indent($0) != begin || $0 !~ /^ *}/) next
  in_body = 0
  if (declaration !~ /requires *\([^)]*\) \{$/) declaration = ""  # else the brace ended a requirement
  ended = declaration == ""
  next
}
/^ *\/\/\/?( |$)/ {
  if (behind && indent($0) == behind) {  # the comment behind the line before goes on
    sub(/\/\//, "///<")
    print escaped($0)
    next
  }
  if (held && (lines[held] ~ /^ *\/\/\//) != ($0 ~ /^ *\/\/\//)) flush(0)
  lines[++held] = $0
  behind = 0
  next
}
/^ *$/ || /^ *(public|protected|private):/ || /^ *}/ || /^#/ {
  flush(/^#if/)
  print
  comment = declaration = ""
  behind = 0
  ended = 1
  next
}
declaration == "" {
  begin = indent($0)
  if (/ = default;/ && !held) {
    print ""
    next
  }
  if (held)
    flush(1)
  else if (ended && comment != "" && $0 !~ /[;,)}{] +\/\/ |override| = delete;|^ *(virtual )?~/)
    printf "/**%s */", comment
}
{
  declaration = declaration $0
  code = $0
  sub(/ +\/\/.*/, "", code)
  behind = match($0, /[;,)}{] +\/\/ /) ? RSTART + RLENGTH - 4 : 0
  if (code ~ /^ *(class|struct) [A-Za-z_0-9]+;$/) behind = 0  # it belongs to the definition, elsewhere
  if (behind) comment = " " escaped(substr($0, behind + 4))
  line = separated(code, comment)
  if (behind && line != code)
    print "/**" comment " */" line
  else if (behind)
    print substr($0, 1, behind) "///<" comment
  else
    print line
  if (behind) comment = ""
  in_body = code ~ /\{$/ && !is_type(declaration)
  if (code ~ /\{$/ && !in_body) comment = ""
  ended = !in_body && (code ~ /[;}{]$/ || (code ~ /,$/ && declaration !~ /\(/))
  if (ended) declaration = ""
}
END { flush(0) }
