// Histories of concurrent operations, and whether they can be told as if one had happened after
// the other.
//
// Workers record each operation with its result between two ticks of a shared clock. A history is
// linearisable if there is an order of all operations, in which each lies between its two ticks,
// that a sequential model of the object could have gone through with the same results. The search
// is the usual one (Wing and Gong's, with a memory of states that lead nowhere): it takes next
// whatever may come next in time and agrees with the model.
//
// Some calls are promised to be atomic in parts only: link(2) looks its old name up first and makes
// the new one later. A model may therefore let an operation happen in several actions.
//
//     struct Model {
//       struct Operation { ... };                  // what was asked, and the result
//       struct State { ... };                      // plain bytes: compared and remembered as such
//       // The `action`th action of `operation`; `note` is what it keeps from one to the next.
//       static Action act(State&, const Operation&, int action, u64& note);
//       static std::string describe(const Operation&);
//     };
#pragma once

#include <algorithm>
#include <type_traits>
#include <unordered_set>

#include "stage.h"

namespace stress {

enum class Action { kImpossible, kMore, kDone };

template <typename Model>
class History {
 public:
  using Operation = typename Model::Operation;
  static constexpr u32 kMost = 256;

  struct Entry {
    Operation operation;
    u64 begin, end;
    int worker;
  };

  /// Runs `call`, which fills in the result, as an operation of `worker`.
  template <typename Call>
  void record(const Worker& worker, Operation operation, Call call) {
    const u32 index = count_.fetch_add(1);
    if (index >= kMost) FAIL("the history is too long");
    const u64 begin = clock_.fetch_add(1);
    call(operation);
    const u64 end = clock_.fetch_add(1);
    entries_[index] = {operation, begin, end, worker.number};
  }

  /// When all is quiet: whether the history can be told from `initial`.
  bool is_explained(const typename Model::State& initial) {
    const u32 count = count_;
    std::sort(entries_, entries_ + count,
              [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
    Search search{{entries_, entries_ + count}, {}, {}, {}, 0};
    search.progress.assign(count, 0);
    search.notes.assign(count, 0);
    return search.find(initial);
  }

  /// When all is quiet: fails unless the history can be told; then forgets it.
  void check(const typename Model::State& initial) {
    if (!is_explained(initial)) {
      std::string text = "no order of these operations explains their results:";
      for (u32 i = 0; i < count_; ++i) {
        const Entry& entry = entries_[i];
        text += "\n    [" + std::to_string(entry.begin) + "-" + std::to_string(entry.end) +
                "] worker " + std::to_string(entry.worker) + ": " +
                Model::describe(entry.operation);
      }
      FAIL(text);
    }
    count_ = 0;
  }

 private:
  static_assert(std::is_trivially_copyable_v<typename Model::State>);
  static constexpr u8 kFinished = 255;

  struct Search {
    std::vector<Entry> entries;
    std::vector<u8> progress;  // actions taken, of each
    std::vector<u64> notes;
    std::unordered_set<std::string> dead_ends;
    u64 looked_at;

    std::string key(const typename Model::State& state) const {
      std::string text(reinterpret_cast<const char*>(&state), sizeof state);
      text.append(reinterpret_cast<const char*>(progress.data()), progress.size());
      for (size_t i = 0; i < notes.size(); ++i) {
        if (progress[i] == 0 || progress[i] == kFinished) continue;
        text.append(reinterpret_cast<const char*>(&notes[i]), sizeof notes[i]);
      }
      return text;
    }

    bool find(const typename Model::State& state) {
      u64 first_end = ~0ull;
      for (size_t i = 0; i < entries.size(); ++i) {
        if (progress[i] != kFinished) first_end = std::min(first_end, entries[i].end);
      }
      if (first_end == ~0ull) return true;
      // A history that is this hard to tell says nothing; none was seen.
      if (++looked_at > 2'000'000) return true;
      std::string name = key(state);
      if (dead_ends.contains(name)) return false;
      for (size_t i = 0; i < entries.size() && entries[i].begin < first_end; ++i) {
        if (progress[i] == kFinished) continue;
        const u8 progress_before = progress[i];
        const u64 note_before = notes[i];
        typename Model::State next = state;
        const Action action = Model::act(next, entries[i].operation, progress[i], notes[i]);
        if (action != Action::kImpossible) {
          progress[i] = action == Action::kDone ? kFinished : progress[i] + 1;
          if (find(next)) return true;
        }
        progress[i] = progress_before;
        notes[i] = note_before;
      }
      dead_ends.insert(std::move(name));
      return false;
    }
  };

  std::atomic<u64> clock_ = 1;
  std::atomic<u32> count_ = 0;
  Entry entries_[kMost];
};

}  // namespace stress
