// The training step of step_bench in libtorch, at its best: denormals flushed, gradients dropped
// rather than zeroed. usage and output as step_bench's. Built and run by tests/bench/peers/compare.
#include <torch/torch.h>

#include "../workload.h"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const bench::Workload w = bench::workload(argv[1]);
  at::globalContext().setFlushDenormal(true);
  torch::set_num_threads(std::atoi(argv[2]));
  torch::manual_seed(1);
  bench::Samples data = bench::samples(w);
  const auto inputs = torch::from_blob(data.inputs.data(), {w.batches, w.batch, w.widths.front()}).unbind(0);
  auto labels = torch::from_blob(data.labels.data(), {bench::Samples::label_batches, w.batch}).unbind(0);
  for (auto& y : labels) y = w.binary ? y.unsqueeze(1).contiguous() : y.to(torch::kLong);

  torch::nn::Sequential model;
  for (std::size_t l = 0; l + 1 < w.widths.size(); ++l) {
    model->push_back(torch::nn::Linear(w.widths[l], w.widths[l + 1]));
    if (l + 2 < w.widths.size()) model->push_back(torch::nn::ReLU());
  }
  auto params = model->parameters();
  torch::optim::AdamW optimizer(params, torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  bench::Stopwatch stopwatch(bench::bench_seconds());
  for (std::size_t step = 0; !stopwatch.done(); ++step) {
    for (auto& p : params) p.mutable_grad().reset();
    const auto logits = model->forward(inputs[step % inputs.size()]);
    const auto& y = labels[step % labels.size()];
    const auto loss =
        w.binary ? torch::binary_cross_entropy_with_logits(logits, y) : torch::nn::functional::cross_entropy(logits, y);
    loss.backward();
    torch::nn::utils::clip_grad_norm_(params, 1.0);
    optimizer.step();
    stopwatch.tick();
  }
  std::printf("libtorch %s %s %.2f\n", w.name.c_str(), argv[2], stopwatch.microseconds_per_step());
}
