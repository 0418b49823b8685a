// Trains with the sinks for other programs, so that read_logs.py can read what they write. usage: logged_files DIR
// Prints the loss of the last evaluation and the weight 0.weight[0], as the logs should have them.
#include <cstdio>
#include <exception>
#include <filesystem>

#include <handrail/handrail.h>

using namespace handrail;

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  const std::filesystem::path dir = argv[1];
  Rng rng(1);
  const Tensor x = normal({512, 4}, 0, 1, rng), y = sum(square(x), 1, true);
  nn::Sequential model{nn::Linear{4, 8, rng}, nn::ReLU{}, nn::Linear{8, 1, rng}};
  train::Trainer trainer{
      model,
      mse_loss,
      {.epochs = 3,
       .batch_size = 16,
       .lr = 1e-2,
       .metrics = {train::R2{}},
       .checkpoints = train::CheckpointOptions{.dir = dir / "runs"},
       .log_every_n_steps = 10,
       .sinks = {train::tensorboard(dir / "tb"), train::json_lines(dir / "run.jsonl"), train::csv_log(dir / "run.csv"),
                 train::trackio({.project = "a project", .run = "first 'run'", .dir = dir})}}};
  const train::FitResult result = trainer.fit(train::TensorDataset(x, y));
  std::printf("%.9g\n", result.validation->loss);
  return result.exit_status();
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
