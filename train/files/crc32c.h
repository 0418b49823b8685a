#pragma once

#include <cstdint>
#include <string_view>

namespace handrail::train {

/// The CRC-32C checksum of the bytes (Castagnoli polynomial, 0x82F63B78 reflected). Source: RFC 3720, appendix B.4,
/// which has examples.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace handrail::train
