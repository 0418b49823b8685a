#include <doctest/doctest.h>

#include <limits>

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
