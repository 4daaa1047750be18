//! The ends of spectra whose other end is far away.
#![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
#![allow(clippy::panic, reason = "a failed expectation fails the test")]

#[path = "../spectra/mod.rs"]
mod spectra;

mod cases;

use burnscape_krylov::End;
use cases::{METHODS, bulks, say};


#[test]
#[ignore = "compares"]
fn compare() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let old: std::collections::BTreeMap<String, Vec<usize>> =
        serde_json::from_str(include_str!("products.json")).unwrap();
    for method in METHODS {
        if !format!("{method:?}").contains(&only) { continue; }
        for outlier in [0.0, 1e3, 1e6, 1e9, 1e12] {
            let (mut all_new, mut all_old, mut all_wrong) = (0, 0, 0);
            for bulk in bulks() {
                if bulk.is_multiple && bulk.name != "steps" { continue; }
                let mut values = bulk.values.clone();
                if outlier > 0.0 {
                    values.push(outlier);
                }
                let mut line = String::new();
                for k in [1, 2, 3, 5] {
                    if k > values.len() { continue; }
                    let runs = (0..20).map(|seed| say(method, &values, (k, End::Bottom), seed));
                    let runs: Vec<_> = runs.collect();
                    let wrong = runs.iter().filter(|s| s.converged && !s.is_right()).count();
                    if std::env::var("EXCESS").is_ok() {
                        let bad: Vec<String> = runs.iter().filter(|s| s.converged && !s.is_right()).map(|s| format!("{:.2}", s.excess)).collect();
                        if !bad.is_empty() { println!("   {} {outlier:e} {k}: {}", bulk.name, bad.join(" ")); }
                    }
                    let conv = runs.iter().filter(|s| s.converged).count();
                    let products: usize = runs.iter().map(|s| s.products).sum();
                    let name = format!("{method:?} {} {outlier:e} {k}", bulk.name);
                    let (mut new_sum, mut old_sum) = (0, 0);
                    if let Some(old) = old.get(&name) {
                        for (old, new) in old.iter().zip(&runs) {
                            if *old > 0 { new_sum += new.products; old_sum += old; }
                        }
                    }
                    all_new += new_sum; all_old += old_sum; all_wrong += wrong;
                    line += &format!(" | {wrong:2}w {conv:2}c {:5.1} {:4.2}", products as f64 / 20.0, new_sum as f64 / old_sum.max(1) as f64);
                }
                println!("{method:?} {:10} {outlier:6.0e}{line}", bulk.name);
            }
            println!("ALL {method:?} {outlier:e} wrong {all_wrong} ratio {:.3}", all_new as f64 / all_old as f64);
        }
    }
}
#[test]
#[ignore = "prints what every method does today"]
fn today() {
    for method in METHODS {
        for bulk in bulks() {
            for outlier in [0.0, 1e3, 1e6, 1e9, 1e12] {
                let mut values = bulk.values.clone();
                if outlier > 0.0 {
                    values.push(outlier);
                }
                let mut line = String::new();
                for k in 1..=5.min(values.len()) {
                    let runs = (0..20).map(|seed| say(method, &values, (k, End::Bottom), seed));
                    let runs: Vec<_> = runs.collect();
                    let wrong = runs.iter().filter(|s| s.converged && !s.is_right()).count();
                    let conv = runs.iter().filter(|s| s.converged).count();
                    let products: usize = runs.iter().map(|s| s.products).sum();
                    line += &format!(" | {wrong:2} wrong {conv:2} conv {:6.1}", products as f64 / 20.0);
                }
                println!("{method:?} {:10} {outlier:6.0e}{line}", bulk.name);
            }
        }
    }
}

#[test]
#[ignore = "writes what methods take today"]
fn record() {
    let mut out = std::collections::BTreeMap::new();
    for method in METHODS {
        for bulk in bulks() {
            for outlier in [0.0, 1e3, 1e6] {
                let mut values = bulk.values.clone();
                if outlier > 0.0 {
                    values.push(outlier);
                }
                for k in 1..=5.min(values.len()) {
                    let runs = (0..20).map(|seed| say(method, &values, (k, End::Bottom), seed));
                    let products = runs.map(|s| match s.converged && s.is_right() {
                        true => s.products,
                        false => 0,
                    });
                    let name = format!("{method:?} {} {outlier:e} {k}", bulk.name);
                    out.insert(name, products.collect::<Vec<_>>());
                }
            }
        }
    }
    let lines: Vec<String> = out.iter().map(|(name, products)| format!("  {name:?}: {products:?}")).collect();
    std::fs::write("tests/ends/products.json", format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
}
#[test]
#[ignore]
fn debug() {
    use burnscape_krylov::*;
    let mut values: Vec<f64> = (0..100).map(|i| (i / 25) as f64).collect();
    values.push(1e6);
    let a = spectra::Diagonal(values);
    let mut record = LanczosConfig::new(1).run(&a).unwrap();
    for _ in 0..12 {
        println!("{} beta {:e} ritz {:?} res {:?}", record.len(), record.is_invariant() as u8, record.ritz_values(), record.residual_estimates());
        record.extend(&a, 1, |s| { println!("{s:?}"); std::ops::ControlFlow::Continue(()) }).unwrap();
    }
}

#[test]
#[ignore]
fn power() {
    for bulk in bulks() {
        for outlier in [0.0, 1e3, 1e6, 1e9] {
            let mut values = bulk.values.clone();
            if outlier > 0.0 { values.push(outlier); }
            let mut line = String::new();
            for k in [1, 2, 3, 5] {
                if k > values.len() { continue; }
                let runs: Vec<_> = (0..20).map(|seed| say(cases::Method::Power, &values, (k, End::Magnitude), seed)).collect();
                let wrong = runs.iter().filter(|s| s.converged && !s.is_right()).count();
                let conv = runs.iter().filter(|s| s.converged).count();
                let products: usize = runs.iter().map(|s| s.products).sum();
                line += &format!(" | {wrong:2}w {conv:2}c {:5.1}", products as f64 / 20.0);
            }
            println!("Power {:10} {outlier:6.0e}{line}", bulk.name);
        }
    }
}
