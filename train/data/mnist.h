#pragma once

#include <filesystem>

#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// Handwritten digits: inputs [784], which are 28 x 28 pixels in row-major order, and labels 0 to 9.
struct Mnist {
  ByteDataset train, test;  // of MNIST itself 60,000 and 10,000 samples
};

/// Reads the four files of MNIST, or of a set with the same file names such as Fashion-MNIST, from a directory:
/// {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte. Each may be plain or compressed with .gz at the
/// end of its name; the plain file is taken when both exist. Throws DataError listing the files that are missing, when
/// a file is damaged (see read_idx), when counts or image sizes disagree, and naming the row of a label that is not
/// below 10.
Mnist load_mnist(const std::filesystem::path& directory);

}  // namespace handrail::train
