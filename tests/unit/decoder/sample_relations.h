#ifndef PGTEAL_TESTS_UNIT_DECODER_SAMPLE_RELATIONS_H_
#define PGTEAL_TESTS_UNIT_DECODER_SAMPLE_RELATIONS_H_

#include <cstdint>
#include <string>

#include "decoder/relation.h"

namespace pgteal::tests {

constexpr uint32_t kInt4 = 23;
constexpr uint32_t kText = 25;

// public.<name>(id int4 key, note text)
inline decoder::Relation SampleRelation(uint32_t oid, const std::string& name) {
  decoder::Relation relation;
  relation.oid = {oid};
  relation.schema = "public";
  relation.name = name;
  relation.columns.push_back({.name = "id",
                              .type = {kInt4},
                              .typmod = -1,
                              .is_key = true,
                              .type_schema = "",
                              .type_name = ""});
  relation.columns.push_back({.name = "note",
                              .type = {kText},
                              .typmod = -1,
                              .is_key = false,
                              .type_schema = "",
                              .type_name = ""});
  relation.key_columns = {0};
  return relation;
}

// The same with one more column.
inline decoder::Relation WiderRelation(uint32_t oid, const std::string& name) {
  decoder::Relation relation = SampleRelation(oid, name);
  relation.columns.push_back(relation.columns.back());
  relation.columns.back().name = "added";
  return relation;
}

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_UNIT_DECODER_SAMPLE_RELATIONS_H_
