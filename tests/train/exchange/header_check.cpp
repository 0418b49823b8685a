// Compiled as C++17 with a header of export_header, HEADER: compares its outputs with those of the library.
//   header_check INPUTS OUTPUTS

#include HEADER

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

static std::vector<float> read(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

int main(int, char** arguments) {
  const std::vector<float> inputs = read(arguments[1]), outputs = read(arguments[2]);
  const std::size_t rows = inputs.size() / exported::input_size;
  if (rows == 0 || inputs.size() != rows * exported::input_size || outputs.size() != rows * exported::output_size) {
    std::puts("the files do not have the sizes of the header");
    return 1;
  }
  std::size_t wrong = 0;
  std::vector<float> y(exported::output_size);
  for (std::size_t i = 0; i < rows; ++i) {
    exported::predict(inputs.data() + i * exported::input_size, y.data());
    for (std::size_t j = 0; j < y.size(); ++j) {
      const float want = outputs[i * y.size() + j];
      if (std::memcmp(&want, &y[j], sizeof want) == 0) continue;
      if (++wrong < 5) std::printf("row %zu, output %zu: want %a; got %a\n", i, j, want, y[j]);
    }
  }
  std::printf("%zu of %zu outputs have other bits\n", wrong, outputs.size());
  return wrong == 0 ? 0 : 1;
}
