#include "torture/simulate/helper.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace simulate {
namespace {

Helper::Answer resume(const Subject& subject, std::uint64_t seed) {
  const auto run = run_in(subject.place.work());
  if (!run) return Helper::Answer::nothing;
  Rng rng(seed);
  auto model = model_of(subject.c, 98);
  Interrupted trainer(model, subject.c, session_options(subject.c, subject.place.work(), true, rng));
  std::uint64_t left = 1 + rng.below(6);
  trainer.visit = [&](std::string_view place, std::int64_t) {
    if (place == "on_step_end" && --left == 0) trainer.stop();
  };
  try {
    trainer.resume(*run, *subject.data);
    return Helper::Answer::resumed;
  } catch (const CheckpointError& error) {
    const bool in_use = std::string_view(error.what()).find("in use by another run") != std::string_view::npos;
    return in_use ? Helper::Answer::in_use : Helper::Answer::failed;
  } catch (const std::exception&) {
    return Helper::Answer::failed;
  }
}

}  // namespace

Helper::Helper(const Subject& subject, std::uint64_t seed) {
  if (pipe(to_) != 0 || pipe(from_) != 0) std::abort();
  std::fflush(nullptr);
  child_ = fork();
  if (child_ < 0) std::abort();
  if (child_ > 0) {
    close(to_[0]);
    close(from_[1]);
    return;
  }
  close(to_[1]);
  close(from_[0]);
  for (char question = 0; read(to_[0], &question, 1) == 1; ++seed)
    if (const Answer answer = resume(subject, seed); write(from_[1], &answer, 1) != 1) break;
  std::_Exit(0);
}

Helper::~Helper() {
  close(to_[1]);
  close(from_[0]);
  kill(child_, SIGKILL);  // children of the session may have the pipe
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
}

Helper::Answer Helper::ask() {
  Answer answer = Answer::failed;
  const char question = '?';
  if (write(to_[1], &question, 1) != 1 || read(from_[0], &answer, 1) != 1) return Answer::failed;
  return answer;
}

}  // namespace simulate
