#ifndef PGTEAL_TESTS_TIDY_SOURCE_FILE_H_
#define PGTEAL_TESTS_TIDY_SOURCE_FILE_H_

#include <string>
#include <vector>

namespace pgteal::tidy {

// One source file of the repository. `path` is relative to its root, with slashes.
struct SourceFile {
  std::string path;
  std::string text;

  std::string top_folder() const { return path.substr(0, path.find('/')); }
  bool is_header() const { return path.ends_with(".h"); }
  std::vector<std::string> Lines() const;
};

// Every .h and .cc of the source folders below `root`, sorted by path.
std::vector<SourceFile> ReadSources(const std::string& root);

// The text with comments, strings and character literals blanked out; the same lines and columns.
std::string CodeOnly(const std::string& text);

struct Include {
  int line = 0;
  std::string target;
  bool is_quoted = false;  // "x.h", as against <x.h>
};
std::vector<Include> IncludesOf(const SourceFile& file);

struct Body {
  int first_line = 0;
  int lines = 0;
};
// What stands between braces directly in a namespace or class: function bodies, found by counting
// braces. Types, namespaces and initialisers ("= {") are not bodies.
std::vector<Body> FunctionBodies(const std::string& text);

}  // namespace pgteal::tidy

#endif  // PGTEAL_TESTS_TIDY_SOURCE_FILE_H_
