#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include <handrail/core/shape.h>
#include <handrail/train/checkpoints/state.h>
#include <handrail/train/exchange/internal/elements.h>

namespace handrail::train {

// A file of safetensors: the length of the header as u64, little-endian; the header, a JSON object; the elements of the
// tensors, row-major and little-endian, without gaps. The header has an entry for each tensor,
//   "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
// with offsets from the end of the header, and perhaps "__metadata__", an object of texts.
// Source: the section "Format" of the README of github.com/huggingface/safetensors.

/// The description of a tensor in a header.
struct SafetensorsEntry {
  std::string name;
  ElementType type;
  Shape shape;
  std::uint64_t begin, end;  // from the end of the header, in bytes
};

struct SafetensorsHeader {
  std::deque<SafetensorsEntry> entries;  // in the order of their elements
  std::map<std::string, std::string> metadata;
  std::uint64_t bytes = 0;  // of the length and the header: where the elements begin
};

/// Parses the header of a file. file: the whole file. Throws DataError, starting with `who`, unless the file is
/// complete and the tensors fill what follows the header without holes, overlaps and a rest. Besides the file, it takes
/// memory for at most 64 KiB and three times the header.
SafetensorsHeader parse_safetensors(std::string_view file, const std::string& who);

/// The length and the header of a file that holds these tensors as Scalar, in their order. The header is filled up with
/// blanks, so that the elements begin at a multiple of 8. Throws OptionError, starting with `who`, for a text that is
/// not UTF-8, for the name "__metadata__" and for a header of more than 100 MB.
std::string safetensors_header(const NamedTensors& tensors, const std::map<std::string, std::string>& metadata,
                               const std::string& who);

/// The longest header, in bytes.
inline constexpr std::uint64_t max_safetensors_header = 100'000'000;
/// The entry of a header that is no tensor.
inline constexpr const char* safetensors_metadata = "__metadata__";

}  // namespace handrail::train
