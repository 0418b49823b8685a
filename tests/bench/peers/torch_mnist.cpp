// The job of train_mnist in libtorch: the same network, data, batches, rates and clip. usage and output as
// train_mnist's. Built and run by tests/bench/all.
#include <torch/torch.h>

#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../workload.h"

namespace {

struct Set {
  torch::Tensor inputs, labels;
};

std::vector<std::uint8_t> bytes_of(const std::string& path, long header) {
  std::ifstream in(path, std::ios::binary);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(in), {}};
  if (static_cast<long>(bytes.size()) < header) {
    std::fprintf(stderr, "torch_mnist: cannot read '%s'\n", path.c_str());
    std::exit(1);
  }
  bytes.erase(bytes.begin(), bytes.begin() + header);
  return bytes;
}

Set load(const std::string& dir, const std::string& part) {
  auto images = bytes_of(dir + "/" + part + "-images-idx3-ubyte", 16);
  auto labels = bytes_of(dir + "/" + part + "-labels-idx1-ubyte", 8);
  const auto count = static_cast<long>(labels.size());
  const auto x = torch::from_blob(images.data(), {count, 784}, torch::kUInt8).to(torch::kFloat);
  return {(x / 255 - 0.1307) / 0.3081, torch::from_blob(labels.data(), {count}, torch::kUInt8).to(torch::kLong)};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const double start = bench::now();
  const int threads = std::atoi(argv[2]);
  at::globalContext().setFlushDenormal(true);
  torch::set_num_threads(threads);
  torch::manual_seed(argc > 3 ? std::atoi(argv[3]) : 1);
  const Set train = load(argv[1], "train"), test = load(argv[1], "t10k");
  torch::nn::Sequential net(torch::nn::Linear(784, 256), torch::nn::ReLU(), torch::nn::Linear(256, 128),
                            torch::nn::ReLU(), torch::nn::Linear(128, 10));
  auto params = net->parameters();
  torch::optim::AdamW optimizer(params, torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  constexpr long batch = 128, epochs = 5;
  const long count = train.inputs.size(0);
  const double training = bench::now();
  for (long epoch = 0; epoch < epochs; ++epoch) {
    const auto order = torch::randperm(count);
    for (long i = 0; i < count; i += batch) {
      const auto rows = order.slice(0, i, std::min(count, i + batch));
      for (auto& p : params) p.mutable_grad().reset();
      const auto loss = torch::nn::functional::cross_entropy(net->forward(train.inputs.index_select(0, rows)),
                                                             train.labels.index_select(0, rows));
      loss.backward();
      torch::nn::utils::clip_grad_norm_(params, 1.0);
      optimizer.step();
    }
  }
  const double trained = bench::now();
  const torch::NoGradGuard guard;
  const double right = net->forward(test.inputs).argmax(1).eq(test.labels).sum().item<double>();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("libtorch mnist %d train_s %.2f total_s %.2f test_accuracy %.4f peak_rss_MB %.0f\n", threads,
              trained - training, bench::now() - start, right / static_cast<double>(test.labels.size(0)),
              static_cast<double>(usage.ru_maxrss) / 1024);
}
