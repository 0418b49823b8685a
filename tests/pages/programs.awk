# The programs of a page: the C++ blocks up to and with each one that has a main are one program, PREFIX1.cpp and so on.
# Blocks after the last main are no program: see fragments.awk. usage: awk -v prefix=PREFIX -f programs.awk PAGE
/^```cpp$/ { inside = 1; next }
/^```$/ && inside {
  inside = 0
  if (program ~ /(^|\n)int main\(/) {
    count += 1
    printf "%s", program > (prefix count ".cpp")
    program = ""
  }
  next
}
inside { program = program $0 "\n" }
