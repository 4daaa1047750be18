//! Pictures that are drawn, read and refused.
#![cfg(test)]

mod colors;
mod committed;
mod data;
mod documents;
mod extremes;
mod files;
mod json;
mod odd;
mod pixels;
