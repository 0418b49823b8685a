#pragma once

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// A model of a terminal that keeps everything that it ever scrolled: characters, CR, LF, automatic wrapping (also
/// switched off), erasing to the end of the line or of the screen. When its width changes, lines that are too long are
/// wrapped into several rows, as tmux, VTE and kitty do.
class Screen {
 public:
  explicit Screen(std::size_t columns) : columns_(columns) {}

  void feed(std::string_view text) {
    for (const char c : text) feed(c);
  }
  void resize(std::size_t columns) {
    std::vector<Row> old;
    old.swap(rows_);
    const std::size_t cursor_row = row_, cursor_column = column_;
    columns_ = columns;
    for (std::size_t r = 0; r < old.size();) {
      std::string line;
      std::size_t at = std::string::npos;  // of the cursor in this line
      do {
        if (r == cursor_row) at = line.size() + cursor_column;
        line += old[r].text;
      } while (old[r++].wrapped && r < old.size());
      const std::size_t first = rows_.size();
      do {
        rows_.push_back({line.substr(0, columns), line.size() > columns});
        line.erase(0, columns);
      } while (!line.empty());
      if (at == std::string::npos) continue;
      row_ = std::min(first + at / columns, rows_.size() - 1);
      column_ = at % columns;
    }
    pending_ = false;
  }

  std::vector<std::string> rows() const {
    std::vector<std::string> texts;
    for (const Row& row : rows_) texts.push_back(row.text);
    return texts;
  }
  std::string text() const {
    std::string all;
    for (const Row& row : rows_) all += row.text + '\n';
    return all;
  }
  std::size_t rows_with(const std::string& part) const {
    std::size_t count = 0;
    for (const Row& row : rows_) count += row.text.find(part) != std::string::npos ? 1U : 0U;
    return count;
  }
  /// The number of rows that go on in the next one.
  std::size_t wrapped_rows() const {
    std::size_t count = 0;
    for (const Row& row : rows_) count += row.wrapped ? 1U : 0U;
    return count;
  }

 private:
  struct Row {
    std::string text;
    bool wrapped = false;  // goes on in the next one
  };

  void feed(char c) {
    if (!escape_.empty()) {
      escape_ += c;
      if (escape_.size() > 2 && std::isalpha(static_cast<unsigned char>(c)) != 0) {
        obey();
        escape_.clear();
      }
    } else if (c == '\x1b') {
      escape_ = c;
    } else if (c == '\r') {
      column_ = 0;
      pending_ = false;
    } else if (c == '\n') {
      pending_ = false;
      next_row();
    } else {
      put(c);
    }
  }
  void put(char c) {
    if (pending_ && wraps_) {
      rows_[row_].wrapped = true;
      next_row();
      column_ = 0;
    }
    pending_ = false;
    std::string& text = rows_[row_].text;
    if (text.size() <= column_) text.resize(column_ + 1, ' ');
    text[column_] = c;
    if (column_ + 1 == columns_)
      pending_ = true;
    else
      ++column_;
  }
  void next_row() {
    if (++row_ == rows_.size()) rows_.emplace_back();
  }
  void obey() {
    Row& row = rows_[row_];
    if (escape_ == "\x1b[K" || escape_ == "\x1b[J") {
      if (row.text.size() > column_) row.text.resize(column_);
      if (column_ == 0) row.wrapped = false;
    }
    if (escape_ == "\x1b[J") rows_.resize(row_ + 1);
    if (escape_ == "\x1b[?7l") wraps_ = false;
    if (escape_ == "\x1b[?7h") wraps_ = true;
  }

  std::size_t columns_;
  std::vector<Row> rows_{1};
  std::size_t row_ = 0, column_ = 0;
  bool wraps_ = true, pending_ = false;
  std::string escape_;
};

/// A pseudo-terminal with such a screen; stream() is what a program writes to.
class Terminal {
 public:
  explicit Terminal(std::size_t columns) : screen_(columns) {
    int program = -1;
    winsize size = size_of(columns);
    if (openpty(&screen_end_, &program, nullptr, nullptr, &size) != 0) throw std::runtime_error("openpty");
    stream_ = fdopen(program, "w");
    setenv("TERM", "xterm", 1);
  }
  ~Terminal() {
    std::fclose(stream_);
    close(screen_end_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::FILE* stream() { return stream_; }
  /// What is on the screen now.
  const Screen& screen() {
    read_all();
    return screen_;
  }
  /// Everything that was written, escape sequences included.
  const std::string& written() {
    read_all();
    return written_;
  }
  void resize(std::size_t columns) {
    read_all();
    const winsize size = size_of(columns);
    ioctl(screen_end_, TIOCSWINSZ, &size);
    screen_.resize(columns);
  }
  /// As when the program asked for the width just before the change.
  void resize_unnoticed(std::size_t columns) {
    read_all();
    screen_.resize(columns);
  }

 private:
  static winsize size_of(std::size_t columns) {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = static_cast<unsigned short>(columns);
    return size;
  }
  void read_all() {
    std::fflush(stream_);
    constexpr int quiet_ms = 20;
    pollfd wanted{.fd = screen_end_, .events = POLLIN, .revents = 0};
    while (poll(&wanted, 1, quiet_ms) == 1) {
      std::array<char, 4096> buffer;
      const ssize_t count = read(screen_end_, buffer.data(), buffer.size());
      if (count <= 0) return;
      written_.append(buffer.data(), static_cast<std::size_t>(count));
      screen_.feed({buffer.data(), static_cast<std::size_t>(count)});
    }
  }

  int screen_end_ = -1;
  std::FILE* stream_ = nullptr;
  Screen screen_;
  std::string written_;
};
