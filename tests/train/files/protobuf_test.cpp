#include <doctest/doctest.h>

#include <string>

#include <handrail/train/files/protobuf.h>

using handrail::train::ProtobufMessage;

namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("a protobuf message has the bytes that the documentation of the wire format gives") {
  ProtobufMessage integer;
  integer.integer(1, 150);
  CHECK(hex(integer.encoded()) == "089601");

  ProtobufMessage text;
  text.bytes(2, "testing");
  CHECK(hex(text.encoded()) == "120774657374696e67");

  ProtobufMessage nested;
  nested.message(3, integer);
  CHECK(hex(nested.encoded()) == "1a03089601");

  ProtobufMessage negative;
  negative.integer(1, -2);
  CHECK(hex(negative.encoded()) == "08feffffffffffffffff01");
}

TEST_CASE(
    "floating-point fields of a protobuf message are little endian, and a field above 15 has a tag of two bytes") {
  ProtobufMessage message;
  message.float32(1, 1.5F);
  message.float64(2, -2.0);
  message.integer(16, 0);
  CHECK(hex(message.encoded()) == "0d0000c03f1100000000000000c0800100");
}
