#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

using namespace handrail::train;

TEST_CASE("the singular is used for a count of one only") {
  CHECK(counted(1, "epoch") == "1 epoch");
  CHECK(counted(0, "epoch") == "0 epochs");
  CHECK(counted(54'000, "step") == "54,000 steps");
  CHECK(counted(2, "batch", "batches") == "2 batches");
}

TEST_CASE("a number is rounded to the digits asked for, four unless told otherwise") {
  CHECK(short_form(1234.5678) == "1235");
  CHECK(short_form(1234.5678, 3) == "1.23e+03");
  CHECK(short_form(0.0625, 2) == "0.062");
  CHECK(short_form(-2.5, 17) == "-2.5");
}

TEST_CASE("a number that is not 0 never reads as 0") {
  CHECK(short_form(0.5) == "0.5");
  CHECK(short_form(3.2e-7) == "3.2e-07");
  CHECK(four_digits(0.5) == "0.5000");
  CHECK(four_digits(12.345) == "12.35");
  CHECK(four_digits(1234.4) == "1234");
  CHECK(four_digits(3.2e-7) == "3.200e-07");
  CHECK(four_digits(0.00012346) == "0.0001235");
  CHECK(four_digits(0) == "0.000");
  CHECK(four_digits(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(four_digits(std::numeric_limits<double>::denorm_min()) == "4.941e-324");
}

TEST_CASE("text is wrapped between words and keeps every word") {
  CHECK(wrapped("one two three four", 9, 2) == "one two\n  three\n  four");
  CHECK(wrapped("lr      a rate by the finder", 16, 8) == "lr      a rate\n        by the\n        finder");
  CHECK(wrapped("one averylongword two", 8, 2) == "one\n  averylongword\n  two");
  CHECK(wrapped("as it is", 0, 2) == "as it is");
  CHECK(wrapped("", 10, 2).empty());
}

TEST_CASE("the width of a text counts characters, not bytes") {
  CHECK(text_width("loss") == 4);
  CHECK(text_width("µ-loss") == 6);
}

TEST_CASE("numbers are rounded to decimals, and look as printf writes them in the C locale") {
  CHECK(fixed_form(12.345, 1) == "12.3");
  CHECK(fixed_form(0, 2) == "0.00");
  CHECK(four_digits(9.9996) == "10.00");
  CHECK(four_digits(-9999.6) == "-1.000e+04");
  CHECK(four_digits(0.000099996) == "0.0001000");
  CHECK(four_digits(HUGE_VAL) == "inf");
  CHECK(short_form(1e6, 17) == "1000000");
  for (const double value : {0.1, 123456.7, 1e-5, 2.5e-300, 7e300, 1.0 / 3, 99995.0, 0.99995}) {
    std::array<char, 64> wanted;
    std::snprintf(wanted.data(), wanted.size(), "%.4g", value);
    CHECK(short_form(value) == wanted.data());
  }
}

TEST_CASE("control characters and bytes that are not UTF-8 are printed as numbers") {
  using handrail::LineEnds;
  using handrail::printable;
  CHECK(printable("plain µ-loss 中 𝄞") == "plain µ-loss 中 𝄞");
  CHECK(printable("\x1b]0;title\x07\x7f\t") == "\\x1b]0;title\\x07\\x7f\\x09");
  CHECK(printable("one\ntwo\r") == "one\ntwo\\x0d");
  CHECK(printable("one\ntwo", LineEnds::escape) == "one\\x0atwo");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");  // CSI of some terminals
  CHECK(printable("\x9b"
                  "31m\xff\xc3") == "\\x9b31m\\xff\\xc3");
  CHECK(printable("\xe4\xb8") == "\\xe4\\xb8");  // cut
  CHECK(excerpt("µµ", 3) == "'µ\\xc2...'");
  CHECK(handrail::DataError("a\x1b"
                            "b")
            .what() == std::string("a\\x1b"
                                   "b"));
}
