# The C++ blocks of a page that are no programs, each as a function of its own below prelude.h, which declares what they
# use. They are compiled only. In a guide, whose blocks belong to programs, such a block begins with "```cpp statements".
# usage: awk -v guide=0|1 -f statements.awk PAGE
BEGIN { print "#include \"pages/prelude.h\"" }
/^```cpp( statements)?$/ { inside = 1; block = ""; begin = NR + 1; wanted = !guide || $2 == "statements"; next }
/^```$/ && inside {
  inside = 0
  if (wanted && block !~ /(^|\n)int main\(/)
    printf "\nvoid block_%d() {\n#line %d \"%s\"\n%s}\n", ++count, begin, FILENAME, block
  next
}
inside { block = block $0 "\n" }
