//! The taxonomy file by itself: complete, unique, in order, with laws under known names.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // A test fails by panicking.

use std::collections::HashSet;

use sluicegate::model::Class;

fn categories() -> Vec<toml::Table> {
    let file: toml::Table = include_str!("../../rules/taxonomy.toml").parse().unwrap();
    let categories = file["category"].as_array().unwrap();
    categories.iter().map(|category| category.as_table().unwrap().clone()).collect()
}

#[test]
fn every_category_is_there_once_and_in_class_order() {
    let categories = categories();
    assert_eq!(categories.len(), 202);
    let ids: HashSet<&str> = categories.iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 202);

    let classes: Vec<&str> =
        categories.iter().map(|c| c["id"].as_str().unwrap().split_once('.').unwrap().0).collect();
    let mut runs = classes.clone();
    runs.dedup();
    assert_eq!(runs, Class::ALL.map(Class::as_str));
    let count = |class: &str| classes.iter().filter(|c| **c == class).count();
    assert_eq!(Class::ALL.map(|c| count(c.as_str())), [9, 23, 24, 67, 21, 31, 13, 8, 6]);
    assert_eq!(categories.iter().filter(|c| c["tier"].as_integer() == Some(1)).count(), 121);
}

#[test]
fn public_data_is_not_regulated_and_regulated_data_has_a_law() {
    for category in categories() {
        let id = category["id"].as_str().unwrap();
        let regulated = category.get("regulated").is_none_or(|r| r.as_bool().unwrap());
        let laws = category["laws"].as_array().unwrap();
        assert!(!regulated || !laws.is_empty(), "{id} is regulated by no law");
        let sensitivity = category["sensitivity"].as_str().unwrap();
        assert!(
            ["public", "internal", "confidential", "restricted"].contains(&sensitivity),
            "{id}"
        );
        assert!(sensitivity != "public" || !regulated, "{id} is public and regulated");
        for law in laws {
            let name = law["law"].as_str().unwrap();
            assert!(!name.is_empty() && name.trim() == name, "{id}");
            assert!(law.get("part").is_none_or(|p| !p.as_str().unwrap().is_empty()), "{id}");
        }
    }
}
