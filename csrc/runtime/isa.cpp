// The table of kernels: chosen once for the instruction set, a lower one by name.
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "wengert/kernels.h"

namespace wg {

namespace {

// Thousands of entries are made at import: the names are literals, so a key does not copy its own.
struct Key {
  std::string_view name;
  int dtype;
  bool operator==(const Key& other) const { return dtype == other.dtype && name == other.name; }
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return std::hash<std::string_view>()(key.name) * 31 + static_cast<std::size_t>(key.dtype);
  }
};
using Table = std::unordered_map<Key, const KernelEntry*, KeyHash>;
Table& table() {
  static auto* t = new Table;
  return *t;
}
const char* chosen = "";

void overlay(const KernelUnit& unit) {
  for (int i = 0; i < unit.count; ++i) {
    const KernelEntry& e = unit.entries[i];
    table()[Key{e.name, e.dtype}] = &e;
  }
}

struct Levels {
  const char* names[3];
  int count;
};

Levels detect() {
  Levels l = {{"base", nullptr, nullptr}, 1};
#ifdef WG_X86
  __builtin_cpu_init();
  bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512cd");
  if (v3) l.names[l.count++] = "v3";
  if (v4) l.names[l.count++] = "v4";
#endif
  return l;
}

const Levels& levels() {
  static const Levels l = detect();
  return l;
}

}  // namespace

bool isa_select(const char* forced) {
  int level = levels().count - 1;
  if (forced && *forced) {
    for (level = 0; level < levels().count; ++level)
      if (!std::strcmp(levels().names[level], forced)) break;
    if (level == levels().count) return false;
  }
  table().clear();
  table().reserve(4096);
#define WG_OVERLAY(unit) overlay(isa_base::unit##_unit);
  WG_UNITS(WG_OVERLAY)
#undef WG_OVERLAY
#ifdef WG_X86
#define WG_OVERLAY(unit) overlay(isa_v3::unit##_unit);
  if (level >= 1) {
    WG_UNITS(WG_OVERLAY)
  }
#undef WG_OVERLAY
#define WG_OVERLAY(unit) overlay(isa_v4::unit##_unit);
  if (level >= 2) {
    WG_UNITS(WG_OVERLAY)
  }
#undef WG_OVERLAY
#endif
  chosen = levels().names[level];
  return true;
}

const KernelEntry* find_kernel(const char* name, int dtype) {
  auto it = table().find(Key{name, dtype});
  return it == table().end() ? nullptr : it->second;
}

const KernelEntry* const* all_kernels(int* count) {
  static std::vector<const KernelEntry*> list;
  list.clear();
  for (auto& item : table()) list.push_back(item.second);
  *count = static_cast<int>(list.size());
  return list.data();
}

const char* isa_name() { return chosen; }
const char* const* isa_available(int* count) {
  *count = levels().count;
  return levels().names;
}

}  // namespace wg
