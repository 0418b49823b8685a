#include <doctest/doctest.h>

#include <string>

#include <handrail/train/files/crc32c.h>

using handrail::train::crc32c;

TEST_CASE("the checksums are those of RFC 3720, appendix B.4") {
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i), falling += static_cast<char>(31 - i);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
  CHECK(crc32c(rising) == 0x46dd794eU);
  CHECK(crc32c(falling) == 0x113fdb5cU);
  CHECK(crc32c("") == 0);
}
