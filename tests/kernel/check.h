#pragma once

// The few words that contracts are checked with; no GoogleTest, since there are no files.
#define EXPECT(condition) expect(condition, #condition, __FILE__, __LINE__)

// Counts and says it when `good` is false.
void expect(bool good, const char* what, const char* file, int line);

struct Contract {
  const char* name;
  void (*check)();
};
#define CONTRACT(function) \
  Contract { #function, function }

// Tries them all, a line for each. False: some do not hold.
template <int count>
bool try_all(const Contract (&contracts)[count]);

bool try_one(const Contract& contract);

template <int count>
bool try_all(const Contract (&contracts)[count]) {
  bool good = true;
  for (const Contract& contract : contracts) good &= try_one(contract);
  return good;
}

bool try_upcalls();
bool try_spaces();
bool try_messages();
bool try_devices();
bool try_limits();
