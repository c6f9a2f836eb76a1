#ifndef PGTEAL_PG_CHECK_H_
#define PGTEAL_PG_CHECK_H_

#include <cstdio>
#include <cstdlib>

// For the few rules whose breach would lose or double data. Stays on in release: a wrong number
// confirmed to blue cannot be taken back, so the process ends instead.
#define PGTEAL_CHECK(condition, what)                                                        \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "pgteal: broken invariant: %s (%s) at %s:%d\n", what, #condition, \
                   __FILE__, __LINE__);                                                      \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)

#endif  // PGTEAL_PG_CHECK_H_
