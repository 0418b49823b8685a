#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace handrail::train {

/// Writes one message in the wire format of Protocol Buffers, which ONNX models and TensorBoard's event files have.
/// Fields are written in the order of the calls; `field` is the number that the message's schema gives them.
/// Source: the page "Encoding" of the Protocol Buffers documentation.
class ProtobufMessage {
 public:
  /// A field of type int32, int64, uint64, bool or enum. A negative number takes ten bytes, as int64 does.
  void integer(int field, std::int64_t value) {
    tag(field, 0);
    varint(static_cast<std::uint64_t>(value));
  }
  void float64(int field, double value) {
    tag(field, 1);
    little_endian(std::bit_cast<std::uint64_t>(value), 8);
  }
  void float32(int field, float value) {
    tag(field, 5);
    little_endian(std::bit_cast<std::uint32_t>(value), 4);
  }
  /// A field of type string or bytes, or a packed repeated field that is encoded already.
  void bytes(int field, std::string_view value) {
    tag(field, 2);
    varint(value.size());
    encoded_.append(value);
  }
  void message(int field, const ProtobufMessage& value) { bytes(field, value.encoded_); }

  const std::string& encoded() const { return encoded_; }

 private:
  void tag(int field, unsigned wire_type) { varint((static_cast<std::uint64_t>(field) << 3) | wire_type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) encoded_.push_back(static_cast<char>(value | 0x80));
    encoded_.push_back(static_cast<char>(value));
  }
  void little_endian(std::uint64_t value, int byte_count) {
    for (int i = 0; i < byte_count; ++i) encoded_.push_back(static_cast<char>(value >> (8 * i)));
  }

  std::string encoded_;
};

}  // namespace handrail::train
