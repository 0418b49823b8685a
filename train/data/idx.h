#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <handrail/core/shape.h>
#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// 4 GiB.
inline constexpr std::uint64_t default_max_inflated_bytes = std::uint64_t{1} << 32;

/// The content of an IDX file: unsigned bytes in row-major order.
struct IdxArray {
  Shape shape;                      // 1 to 4 dimensions
  std::vector<std::uint8_t> bytes;  // one for each element
};

/// Reads an IDX file, the format of MNIST, plain or compressed by gzip: unsigned bytes in 1 to 4 dimensions. The
/// format: LeCun, Cortes, Burges 1998, "The MNIST database of handwritten digits". Throws DataError, naming the file
/// and what was wanted and found, when the file cannot be read, has another format or element type, is damaged,
/// truncated or too long. Memory grows with the bytes that are read: a header that claims a large size allocates
/// nothing. max_inflated_bytes: the largest array that a compressed file may hold, because a small file can be inflated
/// to any size; a DataError otherwise.
IdxArray read_idx(const std::filesystem::path& path, std::uint64_t max_inflated_bytes = default_max_inflated_bytes);

/// How load_idx makes a data set of two files.
struct IdxOptions {
  std::optional<int> classes = {};                                // labels must be below it; 1 to 256; absent: 256
  bool flatten = false;                                           // samples [28, 28] become [784]
  std::uint64_t max_inflated_bytes = default_max_inflated_bytes;  // of each file, see read_idx
};

/// Reads a data set from two IDX files: images [N, ...] and labels [N].
/// Throws DataError as read_idx does, when the files have other dimensions or different counts, and naming the row of a
/// label that is not below options.classes. Throws OptionError on options out of range.
ByteDataset load_idx(const std::filesystem::path& images_path, const std::filesystem::path& labels_path,
                     const IdxOptions& options = {});

}  // namespace handrail::train
