#!/usr/bin/env bash
# Takes a protection out of a copy of the sources, one at a time, and demands that a test turns red.
#   tests/run mutations
set -euo pipefail

root=$1
work=$root/build/mutations
mkdir -p "$work/tree"
for part in core nn optim train tests examples cmake docs CMakeLists.txt README.md CHANGELOG.md LICENSE; do
  cp -r --preserve=timestamps "$root/$part" "$work/tree/"
done
say() { printf '%s\n' "$*" >&2; }
cmake -S "$work/tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHANDRAIL_F64=OFF -DHANDRAIL_EXAMPLES=OFF \
  -DHANDRAIL_UNITY=OFF \
  >"$work/log" 2>&1
build() { cmake --build "$work/build" --target "$@" >>"$work/log" 2>&1; }

failed=0
# replace FILE FROM TO: in each line of the file that has the text FROM, it becomes TO.
replace() {
  if ! grep -qF -- "$2" "$work/tree/$1"; then
    say "mutations: $1 has no '$2' any more: change tests/torture/mutations.sh"
    exit 1
  fi
  cp "$work/tree/$1" "$work/line"
  awk -v from="$2" -v to="$3" '
    (at = index($0, from)) { $0 = substr($0, 1, at - 1) to substr($0, at + length(from)) }
    { print }' "$work/line" >"$work/tree/$1"
}
# mutate WHAT FILE FROM TO PROGRAM TESTS: in the file FROM becomes TO, and of PROGRAM the TESTS must fail.
mutate() {
  local what=$1 file=$2 program=$5 tests=$6
  cp "$work/tree/$file" "$work/original"
  replace "$file" "$3" "$4"
  build "$program" || { say "mutations: without $what it does not compile; see $work/log"; exit 1; }
  if "$work/build/tests/$program" --test-case="$tests" >"$work/output" 2>&1; then
    say "SURVIVED  without $what every test passes"
    failed=1
  else
    say "red       without $what: $(grep -c 'TEST CASE:' "$work/output") tests fail"
  fi
  cp "$work/original" "$work/tree/$file"
}
# simulate WHAT FILE FROM TO [FROM TO]: in the file each FROM becomes TO, and the simulator must find a broken
# promise within ten minutes, whatever seed it begins with; a quarter of a minute suffices where nothing else runs.
simulate() {
  local what=$1 file=$2
  shift 2
  cp "$work/tree/$file" "$work/original"
  while [ $# -gt 1 ]; do
    replace "$file" "$1" "$2"
    shift 2
  done
  build simulate || { say "mutations: without $what it does not compile; see $work/log"; exit 1; }
  if "$work/build/tests/simulate" 600 >"$work/output" 2>&1; then
    say "SURVIVED  without $what the simulator finds nothing"
    failed=1
  elif ! grep -q VIOLATION "$work/output"; then
    say "mutations: the simulator does not run; see $work/output"
    exit 1
  else
    say "red       without $what, in the simulator: $(grep -m1 promised: "$work/output" | sed 's/^ *//')"
  fi
  cp "$work/original" "$work/tree/$file"
}

if ! build train_tests core_tests optim_tests openmp_tests; then
  say "mutations: it does not compile as it is; see $work/log"
  exit 1
fi
for program in train_tests core_tests optim_tests; do
  "$work/build/tests/$program" >"$work/output" 2>&1 || { say "mutations: $program fails as it is"; exit 1; }
done

mutate "the fsync of a file" train/files/file_system.cpp \
  'if (files.sync(temporary.file()) != 0) give_up("sync");' '' train_tests '*power*'
mutate "the fsync of the directory" train/files/file_system.cpp \
  'sync_directory(files, directory_of(path), who);' '' train_tests '*power*'
mutate "the end of an answer that an exception keeps from the caller" train/files/signals.cpp \
  'if (std::uncaught_exceptions() > exceptions_) answered = false;' '' train_tests '*answer*'
mutate "the sync of the log" train/report/internal/metrics_log.cpp \
  'if (files_.sync(file_->get()) != 0) lose("sync");' '' train_tests '*power*'
mutate "the checksums of sections" train/checkpoints/internal/container.cpp \
  'if (crc_of(bytes) != section.crc)' 'if (false)' train_tests '*single bit*'
mutate "the bound on sizes that a file tells of" train/checkpoints/internal/checkpoint_codec.cpp \
  'if (count > left_.size() / element_bytes)' 'if (false)' train_tests '*sizes that exceed*'
mutate "the lock of a directory" train/checkpoints/checkpoint_store.cpp \
  'if (files_.lock(file) != 0 && errno == EWOULDBLOCK) {' 'if (false) {' train_tests '*two stores*'
mutate "the order of a sum over threads" optim/optimizer.cpp \
  'for (std::size_t r = 0; r < ranges_.size(); ++r) {' \
  'for (std::size_t q = 0; q < ranges_.size(); ++q) { const std::size_t r = num_threads() > 1 ? ranges_.size() - 1 - q : q;' \
  optim_tests '*same bits*'
mutate "the last good state in a checkpoint" train/run/loop/loop.cpp \
  'if (!good.is(state)) state.good = std::make_shared<const TrainingState>(good.state());' '' train_tests '*last good state*'
mutate "the steps at which a good state is kept" train/run/loop/good_state.cpp \
  'at_.step % interval == 0;' 'at_.step % interval == 0 || (__builtin_ia32_rdtsc() & (1 << 17)) != 0;' train_tests '*slow disk*'
mutate "the lock before a checkpoint is read" train/run/internal/run.cpp \
  'if (has_any) loop_.saver.take_directory(dir);' '' train_tests '*before it reads a checkpoint*'
mutate "the descriptor of the directory of a run" train/files/pinned_files.cpp \
  'if (descriptor < 0) return {AT_FDCWD, path};' 'return {AT_FDCWD, path};' train_tests '*symbolic link*'
mutate "the signal that is ignored" train/files/signals.cpp \
  'if (was_ignored(i) ||' 'if (' train_tests '*ignored signal*'
mutate "the signal that nobody answers" train/files/signals.cpp \
  'if (signal != 0 && !answered) kill(getpid(), signal);' '' train_tests '*sent again*'
mutate "the samples that a step has" train/run/internal/setup.cpp \
  '*optimizer, samples_per_step());' '*optimizer, options.batch_size * options.accumulate_grad_batches);' \
  train_tests '*given rate*'
mutate "the subset below a subset" train/data/subset.cpp \
  'rows_ = subset->rows_.pick(rows_.numbers());' '' train_tests '*subset*'
mutate "the parts of a long sum" core/kernels/sums.h \
  'constexpr Index summed_in_scalar = 512;' 'constexpr Index summed_in_scalar = Index{1} << 40;' core_tests '*digits over millions*'
mutate "the solitude in a region of the program" core/system/parallel.cpp \
  'if (omp_in_parallel()) return 1;' '' openmp_tests '*parallel region*'

simulate "the last good state in a checkpoint" train/run/loop/loop.cpp \
  'if (!good.is(state)) state.good = std::make_shared<const TrainingState>(good.state());' ''
simulate "the steps at which a good state is kept" train/run/loop/good_state.cpp \
  'at_.step % interval == 0;' 'at_.step % interval == 0 || (__builtin_ia32_rdtsc() & (1 << 17)) != 0;'
simulate "the row numbers of each call of a Subset" train/data/subset.cpp \
  'auto* const numbers = reinterpret_cast<Index*>(block.get() + 1);' \
  'static std::vector<Index> kept; kept.resize(std::max(kept.size(), positions.size())); auto* const numbers = kept.data();'
simulate "the end of a rehearsal that takes no memory" train/run/internal/rehearsal.cpp \
  'write_back(setup_.parameters, setup_.buffers, weights_.parameters, weights_.buffers);' \
  'restore(setup_.model, weights_.parameters, weights_.buffers);'
simulate "the descriptor of the directory of a run" train/files/pinned_files.cpp \
  'if (descriptor < 0) return {AT_FDCWD, path};' 'return {AT_FDCWD, path};'
simulate "the lock before a checkpoint is read" train/run/internal/run.cpp \
  'if (has_any) loop_.saver.take_directory(dir);' \
  'const auto loaded = has_any ? CheckpointStore::load_newest(dir) : std::nullopt;' \
  'const auto loaded = has_any ? loop_.saver.load_newest() : std::nullopt;' \
  'if (has_any) loop_.saver.take_directory(dir);'
simulate "the child that lets go of the lock" train/files/file_lock.cpp \
  'for (FileLock* lock : locks) lock->close();' ''
simulate "the child that changes no file" train/files/pinned_files.cpp 'if (owner_ == ::getpid()) return true;' 'return true;'
exit "$failed"
