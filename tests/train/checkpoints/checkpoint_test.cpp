#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <sstream>

#include <handrail/core/error.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/nn/standardize.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/exchange/weights.h>
#include <handrail/train/checkpoints/internal/checkpoint_codec.h>
#include <handrail/train/files/file_system.h>

#include <support/check_throws.h>
#include <support/failing_files.h>
#include <support/files.h>
#include <support/hash.h>
#include <support/tensors.h>
#include <support/training_state.h>

namespace {

using namespace handrail;
using namespace handrail::train;

constexpr Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN();

std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

struct Model : nn::Module {
  explicit Model(Index hidden, std::uint64_t seed = 1)
      : rng(seed),
        in(add("in", nn::Linear{2, hidden, rng})),
        norm(add("norm", nn::BatchNorm1d{hidden})),
        out(add("out", nn::Linear{hidden, 1, rng, {.bias = false}})) {}
  Rng rng;
  nn::Linear& in;
  nn::BatchNorm1d& norm;
  nn::Linear& out;
};

}  // namespace

TEST_CASE("a checkpoint brings back every member of the state") {
  const TempDir dir;
  const auto path = dir.path() / "a";
  save_checkpoint(path, full_state());
  check_same(full_state(), load_checkpoint(path));
  save_checkpoint(path, TrainingState{});
  check_same(TrainingState{}, load_checkpoint(path));
  CHECK(names_in(dir.path()) == std::set<std::string>{"a"});
}

TEST_CASE("a checkpoint is readable for its owner only, also in the current directory") {
  const TempDir dir;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  save_checkpoint("a", full_state());
  std::filesystem::current_path(before);
  struct stat status {};
  REQUIRE(stat((dir.path() / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("values that are not finite are not saved, and the old file stays") {
  const TempDir dir;
  const auto path = dir.path() / "a";
  save_checkpoint(path, full_state());
  const std::string before = bytes_of(path);
  const auto refuses = [&](auto&& spoil, const char* where) {
    TrainingState state = full_state();
    spoil(state);
    check_throws<CheckpointError>([&] { save_checkpoint(path, state); }, path.string(), where);
    CHECK(bytes_of(path) == before);
  };
  refuses([](auto& s) { s.parameters.at("hidden.weight").mutable_data()[4] = not_a_number; },
          "parameter 'hidden.weight' [2, 3]: want finite values; element 4 is nan");
  refuses([](auto& s) { s.buffers.at("norm.mean").mutable_data()[0] = 1 / Scalar(0); }, "buffer 'norm.mean' []");
  refuses([](auto& s) { s.optimizer.at("hidden.weight").slots[1].mutable_data()[0] = not_a_number; },
          "moment of 'hidden.weight'");
  refuses([](auto& s) { s.best_parameters.at("hidden.bias").mutable_data()[2] = not_a_number; },
          "best parameter 'hidden.bias'");
  refuses([](auto& s) { s.best_buffers.at("norm.mean").mutable_data()[0] = not_a_number; }, "best buffer 'norm.mean'");
  refuses([](auto& s) { s.parameters["new"] = Tensor(); }, "parameter 'new' is undefined");
  refuses([](auto& s) { s.progress.epoch = 0; }, "want an epoch >= 1");
  refuses([](auto& s) { s.progress.epoch = std::numeric_limits<Index>::min(); }, "want an epoch >= 1");
  refuses([](auto& s) { s.progress.step = std::numeric_limits<Index>::max(); }, "want counts up to 2^53");
  CHECK(names_in(dir.path()).size() == 1);
}

TEST_CASE("whichever system call fails, the file is the old one or the new one and no other is left") {
  for (const bool from_then_on : {false, true}) {
    bool failed = true;
    for (int nth = 1; failed; ++nth) {
      const TempDir dir;
      const auto path = dir.path() / "a";
      save_checkpoint(path, state_at(1));
      FailingFiles files(nth, from_then_on);
      files.most_written = 100;
      try {
        save_checkpoint(path, state_at(2), false, files);
      } catch (const CheckpointError& error) {
        CHECK(std::string(error.what()).find("No space left on device") != std::string::npos);
      }
      failed = files.failed();
      const std::int64_t step = load_checkpoint(path).progress.step;
      CHECK((step == 2 || (step == 1 && failed)));
      if (!from_then_on) CHECK(names_in(dir.path()) == std::set<std::string>{"a"});
    }
  }
}

TEST_CASE("the error of a save names path, cause and the bytes written") {
  const TempDir dir;
  const auto path = dir.path() / "a";
  for (const char* call : {"write", "sync", "close", "rename"}) {
    FailingFiles files;
    files.failing = call;
    check_throws<CheckpointError>([&] { save_checkpoint(path, full_state(), false, files); }, path.string(),
                                  concat("cannot ", call, " '"), "No space left on device, after ", " bytes;");
    CHECK(names_in(dir.path()).empty());
  }
  check_throws<CheckpointError>([&] { save_checkpoint(dir.path() / "no" / "a", full_state()); }, "/no/a",
                                "No such file or directory");
}

TEST_CASE("short and interrupted reads and writes, and files of a killed process with the same number, do no harm") {
  const TempDir dir;
  const auto path = dir.path() / "a";
  dir.write(concat(".a.tmp-", getpid(), "-0"), "half");
  FailingFiles files;
  files.most_written = 7;
  files.interruptions = 5;
  save_checkpoint(path, full_state(), false, files);
  CHECK(files.interruptions == 0);
  files.interruptions = 5;
  check_same(full_state(), load_checkpoint(path, files));
  CHECK(files.interruptions == 0);
}

TEST_CASE("what does not fit the model is listed in full, and changes nothing") {
  Model model(3);
  const Model narrow(2);
  const auto hash = hash_of(model);
  ModelState state = capture(narrow);
  state.parameters.erase("out.weight");
  state.buffers.emplace("extra", Tensor({2}, {1, 2}));
  check_throws<CheckpointError>([&] { restore(model, state.parameters, state.buffers); },
                                "missing: parameter 'out.weight' [3, 1]",
                                "parameter 'in.weight': want [2, 3]; got [2, 2]",
                                "parameter 'in.bias': want [3]; got [2]", "unknown: buffer 'extra' [2]");
  CHECK(hash_of(model) == hash);

  TrainingState training;
  training.parameters = capture(model).parameters;
  training.buffers = capture(model).buffers;
  check_fits(model, training);
  training.best = Best{};
  check_throws<CheckpointError>([&] { check_fits(model, training); }, "missing: best parameter 'in.weight' [2, 3]");
}

TEST_CASE("captured weights are copies, and restoring brings them back") {
  Model model(3);
  const auto hash = hash_of(model);
  const ModelState state = capture(model);
  for (const Parameter& p : model.parameters()) p.tensor.mutable_data()[0] += 1;
  for (const Buffer& b : model.buffers()) b.tensor.mutable_data()[0] += 1;
  CHECK(hash_of(model) != hash);
  restore(model, state.parameters, state.buffers);
  CHECK(hash_of(model) == hash);
}

TEST_CASE("a program that only predicts loads the constants of Standardize with the weights") {
  const TempDir dir;
  const auto path = dir.path() / "weights";
  Rng rng(1);
  const Tensor inputs({3, 2}, {1, 10, 3, 30, 2, 15});
  for (const bool whiten : {false, true}) {
    const nn::Sequential trained{nn::Standardize::fit(inputs, {.whiten = whiten}), nn::Linear{2, 1, rng}};
    save_weights(trained, path);
    nn::Sequential model{nn::Standardize(2, {.whiten = whiten}), nn::Linear{2, 1, rng}};
    load_weights(model, path);
    CHECK(hash_of(model) == hash_of(trained));
    CHECK(same_bits(model(inputs), trained(inputs)));
    // A model that differs in whitening names the matrix.
    nn::Sequential other{nn::Standardize(2, {.whiten = !whiten}), nn::Linear{2, 1, rng}};
    check_throws<CheckpointError>([&] { load_weights(other, path); }, "0.whiten");
  }
}

TEST_CASE("large tensors are written without a copy, and everything around them stays in order") {
  const TempDir dir;
  const auto path = dir.path() / "large";
  Rng rng(5);
  TrainingState state = full_state();
  state.parameters["a"] = normal({600, 500}, 0, 1, rng);
  state.parameters["z"] = normal({1 << 18}, 0, 1, rng);
  state.best_parameters["a"] = normal({600, 500}, 0, 1, rng);
  const auto sections = encode(state);
  CHECK(sections[0].borrowed.size() == 2);
  CHECK(sections[0].bytes.size() < 10'000);
  CHECK(sections[0].size() > 1'200'000 + (1 << 20));
  save_checkpoint(path, state);
  check_same(load_checkpoint(path), state);
}

TEST_CASE("weights are saved and loaded as a file of their own, and loaded from checkpoints too") {
  const TempDir dir;
  const auto path = dir.path() / "weights";
  const Model trained(3, 1);
  save_weights(trained, path);
  Model model(3, 2);
  CHECK(hash_of(model) != hash_of(trained));
  load_weights(model, path);
  CHECK(hash_of(model) == hash_of(trained));
  check_throws<CheckpointError>([&] { load_checkpoint(path); }, "has no section 'optimizer'", "file of weights");

  Model other(3, 3);
  TrainingState state;
  state.parameters = capture(other).parameters;
  state.buffers = capture(other).buffers;
  save_checkpoint(path, state);
  load_weights(model, path);
  CHECK(hash_of(model) == hash_of(other));

  Model wide(4);
  const auto before = hash_of(wide);
  check_throws<CheckpointError>([&] { load_weights(wide, path); }, path.string(), "want [2, 4]; got [2, 3]");
  CHECK(hash_of(wide) == before);
  other.in.weight.mutable_data()[1] = not_a_number;
  check_throws<CheckpointError>([&] { save_weights(other, path); }, "parameter 'in.weight'");
}
