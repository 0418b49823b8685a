#include <handrail/train/data/mnist.h>

#include <array>
#include <cstddef>
#include <string>
#include <system_error>

#include <handrail/core/error.h>
#include <handrail/train/data/idx.h>

namespace handrail::train {
namespace {

constexpr std::array<const char*, 4> file_names = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                                   "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

// The paths of the four files. Throws one DataError that lists every missing file.
std::array<std::filesystem::path, 4> find_files(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored))
    fail<DataError>("load_mnist: want a directory; '", directory.string(), "' is not one");
  std::array<std::filesystem::path, 4> files;
  std::string missing;
  for (std::size_t i = 0; i < file_names.size(); ++i) {
    files[i] = directory / file_names[i];
    if (std::filesystem::exists(files[i], ignored)) continue;
    files[i] += ".gz";
    if (!std::filesystem::exists(files[i], ignored))
      missing += (missing.empty() ? "" : ", ") + std::string(file_names[i]);
  }
  if (!missing.empty())
    fail<DataError>("load_mnist: '", directory.string(), "': want the four files of MNIST, each plain or .gz; missing ",
                    missing);
  return files;
}

}  // namespace

Mnist load_mnist(const std::filesystem::path& directory) {
  const auto files = find_files(directory);
  const IdxOptions options{.classes = 10, .flatten = true};
  Mnist mnist{.train = load_idx(files[0], files[1], options), .test = load_idx(files[2], files[3], options)};
  if (mnist.train.input_shape() != mnist.test.input_shape())
    fail<DataError>("load_mnist: '", directory.string(), "': want images of the same size in both sets; got ",
                    mnist.train.input_shape(), " pixels in the training set and ", mnist.test.input_shape(),
                    " in the test set");
  return mnist;
}

}  // namespace handrail::train
