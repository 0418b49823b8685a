// What a program does without a run: files, tape, construction, mistakes.
#include <zlib.h>

#include <fstream>
#include <limits>
#include <string>

#include <handrail/train/report/html/internal/metrics_reader.h>
#include <handrail/train/report/html/internal/pages/run_page.h>

#include "support/heap_faults.h"
#include "torture/low_memory/job.h"

using namespace handrail;
namespace fs = std::filesystem;

namespace {

void write_bytes(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

Attempt make_save(const fs::path& dir) {
  fs::create_directories(dir);
  const auto from = std::make_shared<Job>(bare_options()), to = std::make_shared<Job>(bare_options());
  for (const Parameter& p : from->model.parameters()) p.tensor.mutable_data()[0] += 1;
  const auto act = [=] {
    train::save_weights(from->model, dir / "weights");
    train::load_weights(to->model, dir / "weights");
    from->trainer.save_model(dir / "model");
    to->trainer.load_model(dir / "model");
  };
  return {act, [=, before = hash_of(to->model), want = hash_of(from->model)](bool threw) -> std::string {
            const std::uint64_t hash = hash_of(to->model);
            if (hash_of(from->model) != want) return "saving has changed the model";
            if (hash != want && (!threw || hash != before)) return "a model that was loaded in part";
            for (const auto& entry : fs::directory_iterator(dir))
              if (entry.path().filename().string().starts_with('.')) return "a temporary file was left";
            act();
            return hash_of(to->model) == want ? "" : "loading again gives other weights";
          }};
}

// A step without a Trainer.
struct TapeStep {
  void operator()() {
    optimizer.zero_grad();
    Tape tape(Mode::train, {.seed = 1, .position = 1});
    const Tensor loss = cross_entropy(model.forward(clean_rows().inputs()), clean_rows().targets());
    tape.backward(loss);
    optimizer.step(0.1);
  }
  Rng rng{1};
  nn::Sequential model{nn::Linear{2, 16, rng}, nn::LayerNorm{16}, nn::GELU{}, nn::Dropout{0.2}, nn::Linear{16, 2, rng}};
  optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.01)};
};

// Live allocations besides those that the pool keeps for new tensors.
std::int64_t live_blocks() {
  release_cached_memory();
  return heap_faults::blocks;
}

Attempt make_tape(const fs::path&) {
  struct Expected {
    std::uint64_t first, second;  // hashes after the first and the second step
    std::int64_t blocks;          // that two steps leave on the heap: gradients
  };
  const auto measure = [] {
    TapeStep step;
    const std::int64_t start = live_blocks();
    step();
    const std::uint64_t first = hash_of(step.model);
    step();
    return Expected{first, hash_of(step.model), live_blocks() - start};
  };
  static const Expected want = [&] {
    measure();  // the first one also leaves what a thread keeps
    return measure();
  }();
  const auto step = std::make_shared<TapeStep>();
  const auto start = std::make_shared<std::int64_t>();
  const auto act = [=] {
    *start = live_blocks();
    (*step)();
  };
  return {act, [=, before = hash_of(step->model)](bool threw) -> std::string {
            if (Tape::active()) return "a tape is still active";
            if (hash_of(step->model) != (threw ? before : want.first)) return "weights that are neither old nor new";
            if (threw) (*step)();
            (*step)();
            if (hash_of(step->model) != want.second) return "the next steps give other weights";
            return live_blocks() - *start == want.blocks ? "" : "memory is lost";
          }};
}

std::vector<std::vector<Scalar>> read(const fs::path& dir) {
  const auto table = train::load_csv(dir / "table.csv", {.targets = {"label"}}).data;
  const auto packed = train::read_csv(dir / "table.csv.gz");
  const auto bytes = train::load_idx(dir / "images", dir / "labels", {.classes = 3, .flatten = true});
  const train::Loader loader(bytes, {.batch_size = 2, .normalization = train::Normalization{}});
  return {values_of(table.inputs()), values_of(table.targets()), values_of(packed.values),
          values_of(loader.batch(0).inputs)};
}
Attempt make_read(const fs::path& dir) {
  write_bytes(dir / "table.csv", "a,b,label\n1,\"2\",0\n3,4,1\n5,6.5,2\n");
  const gzFile packed = gzopen((dir / "table.csv.gz").c_str(), "wb");
  gzputs(packed, "x,label\n0.5,1\n1.5,0\n");
  gzclose(packed);
  write_bytes(dir / "images", std::string("\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\2abcd", 20));
  write_bytes(dir / "labels", std::string("\0\0\x08\x01\0\0\0\2\1\2", 10));
  static const auto want = read(dir);
  const auto job = std::make_shared<Job>(bare_options());
  return unchanged(job, want, [=](Job&) { return read(dir); });
}

// The report that a resumed run begins with, of the figures that the session before has logged.
std::string report_of(const fs::path& log) {
  train::html::Record record;
  train::html::RecordFiller filler(record);
  train::html::read_metrics(train::posix_file_system(), log, std::numeric_limits<std::uint64_t>::max(),
                            [&](const train::html::MetricRow& row) { filler.add(row); });
  filler.finish();
  return train::html::run_page({.record = record, .result = {}, .is_over = false, .written = "now"});
}
Attempt make_report(const fs::path& dir) {
  const fs::path log = dir / "metrics.csv";
  write_bytes(log,
              "step,epoch,name,value\n2,1,train_loss,0.7\n2,1,lr,0.01\n4,1,train_loss,0.6\n4,1,val_loss,0.5\n"
              "4,1,grad_norm/hidden.weight,0.2\n4,1,update_ratio/hidden.weight,0.01\n"
              "4,1,grad_norm/out.weight,0.1\n4,1,update_ratio/out.weight,0.02\n");
  static const std::string want = report_of(log);
  return unchanged(std::make_shared<Job>(bare_options()), want, [=](Job&) { return report_of(log); });
}

std::uint64_t construct() {
  Rng rng(1);
  nn::Sequential model{nn::Linear{2, 4, rng}, nn::BatchNorm1d{4}, nn::Tanh{}, nn::Dropout{0.1}, nn::Linear{4, 2, rng}};
  const train::Trainer trainer(model, cross_entropy, bare_options());
  const optim::SGD optimizer(optim::decay_groups(model.parameters(), 0.1), {.momentum = 0.9});
  return hash_of(model) + hash_of(NormModel(2));
}
Attempt make_construct(const fs::path&) {
  static const std::uint64_t want = construct();
  const auto job = std::make_shared<Job>(bare_options());
  return unchanged(job, want, [](Job&) { return construct(); });
}

// What must be refused, although there may be no memory for the text that says why. Returns how much was not.
int accepted_mistakes(const nn::Module& model) {
  int accepted = 0;
  const auto refused = [&](auto&& call) {
    try {
      call();
      ++accepted;
    } catch (const Error&) {
    }
  };
  std::vector<optim::ParamGroup> groups = optim::decay_groups(model.parameters(), 0.1);
  optim::AdamW optimizer(groups);
  optim::OptimizerState state = optimizer.state();
  state.erase(state.begin());
  refused([&] { optimizer.load_state(state); });
  groups.front().lr_scale = -1;
  refused([&] { optim::AdamW{groups}; });
  refused([&] { optim::AdamW(optim::decay_groups(model.parameters(), 0), {.beta1 = 2}); });
  refused([] { optim::warmup_cosine({.peak = 1, .warmup_steps = 3, .total_steps = 2}); });
  refused([] { train::LrSweep({.steps = 3}); });
  return accepted;
}
Attempt make_refuse(const fs::path&) {
  static const int want = 0;
  return unchanged(std::make_shared<Job>(bare_options()), want, [](Job& job) { return accepted_mistakes(job.model); });
}

// Matrices that are large enough for several threads.
std::vector<Scalar> multiply(Job&) {
  Rng rng(1);
  const Tensor weight = normal({256, 256}, 0, 1, rng);
  weight.set_requires_grad(true);
  Tape tape;
  const Tensor x = normal({256, 256}, 0, 1, rng), bias = Tensor::zeros({256});
  const Tensor loss = mean(square(relu(linear(x, weight, bias))));
  tape.backward(loss);
  return values_of(weight.grad());
}
Attempt make_multiply(const fs::path&) {
  static const auto want = [] {
    Job job(bare_options());
    return multiply(job);
  }();
  return unchanged(std::make_shared<Job>(bare_options()), want, multiply);
}

}  // namespace

std::span<const Scenario> part_scenarios() {
  static constexpr Scenario all[] = {{"save", make_save},     {"tape", make_tape},           {"read", make_read},
                                     {"report", make_report}, {"construct", make_construct}, {"refuse", make_refuse}};
  return all;
}

std::span<const Scenario> threaded_scenarios() {
  static constexpr Scenario all[] = {{"multiply", make_multiply}};
  return all;
}
