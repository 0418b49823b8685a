// Writes the weights of all runs in a folder to standard output: of each run the parameters and buffers of its newest
// checkpoint and those of its best evaluation, by name, as they are in memory. For sha256sum.
// usage: weights RUNS
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <vector>

#include <handrail/handrail.h>

using namespace handrail;

namespace {

// The newest of the checkpoints in a folder, if there are any.
std::optional<train::TrainingState> newest_checkpoint(const std::filesystem::path& folder) {
  std::optional<train::TrainingState> newest;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".hrc") continue;
    train::TrainingState state = train::load_checkpoint(file.path());
    if (!newest || state.progress.step > newest->progress.step) newest = std::move(state);
  }
  return newest;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw Error("usage: weights RUNS");
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1]))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::ranges::sort(folders);
  for (const std::filesystem::path& folder : folders)
    if (const auto state = newest_checkpoint(folder))
      for (const auto* part : {&state->parameters, &state->buffers, &state->best_parameters, &state->best_buffers})
        for (const auto& [name, tensor] : *part)
          std::fwrite(tensor.data(), sizeof(Scalar), tensor.span().size(), stdout);
} catch (const std::exception& error) {
  std::fprintf(stderr, "weights: %s\n", error.what());
  return 1;
}
