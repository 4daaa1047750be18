//! Products with several tangents.

use burn::tensor::Tensor;

use super::engine::{engine, flat};
use super::lanes::{self, num_threads};
use super::linearized::Linearized;
use super::point::{Point, with_tangent};
use crate::LinearizeError;
use crate::batched::batched;
use crate::program::Program;

/// How a block of tangents is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// All tangents in one run: the default on accelerators, which need large kernels.
    Together,
    /// One tangent at a time, with residuals computed once: the default on CPUs, where kernels are
    /// as efficient for one tangent and its data stays in the caches. On Flex, several products run
    /// concurrently on the threads of its kernels (Rayon's), as long as their intermediate results need less than
    /// a gibibyte.
    InTurn,
}

/// How the tangents of a block share residuals that are recomputed.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// All residuals are computed, and then all products, one after the other.
    All,
    /// The same if they take at most this many bytes, or if the block takes no more memory with them than as many
    /// products at the same time; otherwise in groups as large as the block.
    Within(usize),
    /// The products of at most this many tangents are computed at the same time, with residuals on demand.
    Groups(usize),
}

/// The kind of a block, for which a program is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Block {
    num_tangents: usize,
    has_residuals: bool,
}

impl Linearized {
    /// Sets how blocks are multiplied. The default depends on the device and is the faster choice.
    #[must_use]
    pub fn with_batching(mut self, batching: Batching) -> Self {
        self.batching = batching;
        self
    }

    /// How blocks are multiplied.
    #[doc(hidden)]
    pub fn batching(&self) -> Batching {
        self.batching
    }

    /// The largest groups in which `k` tangents share residuals on demand; `None` if they share all of them.
    fn group(&mut self, k: usize) -> Option<usize> {
        match self.sharing {
            _ if k < 2 => Some(1),
            Sharing::All => None,
            Sharing::Groups(most) => Some(most.max(1)),
            Sharing::Within(bytes) if self.map.residual_bytes() <= bytes => None,
            Sharing::Within(_) => {
                let least = *self.shared_from.get_or_insert_with(|| {
                    let peak = |program: &Program| self.engine.peak_bytes(program);
                    let stored = self.map.residual_bytes() as u64 + peak(&self.map.each);
                    let shared = stored.max(peak(&self.map.residuals()));
                    shared.div_ceil(peak(&self.map.whole(self.segments)).max(1))
                });
                ((k as u64) < least).then_some(k)
            }
        }
    }

    /// The products with `k` tangents at once, from `[k, columns]` to `[k, rows]`, for a map with one
    /// tangent and one result.
    ///
    /// Everything that does not depend on a tangent is computed once for all of them.
    ///
    /// # Errors
    ///
    /// [`LinearizeError::Mismatch`] if the number of columns does not match, [`LinearizeError::Execution`].
    pub fn apply_block(
        &mut self,
        point: &Point,
        tangents: Tensor<2>,
    ) -> Result<Tensor<2>, LinearizeError> {
        let [k, _] = tangents.dims();
        if k == 0 {
            return Ok(Tensor::zeros([0, self.map.num_rows()], &tangents.device()));
        }
        match self.batching {
            Batching::Together => self.apply_together(point, tangents),
            Batching::InTurn => self.apply_in_turn(point, &tangents),
        }
    }

    fn apply_together(
        &mut self,
        point: &Point,
        tangents: Tensor<2>,
    ) -> Result<Tensor<2>, LinearizeError> {
        let [k, columns] = tangents.dims();
        let block = Block {
            num_tangents: k,
            has_residuals: point.is_stored(),
        };
        if !self.blocks.contains_key(&block) {
            let single = if block.has_residuals {
                Program::clone(&self.map.each)
            } else {
                self.map.whole(self.segments)
            };
            let program = batched(&single, single.inputs.len() - 1, k, self.map.settings)?;
            self.engine.constants(&program);
            self.blocks.insert(block, self.engine.executable(&program));
        }
        let executable = &self.blocks[&block];
        let tangents = tangents.reshape([k * columns]);
        let inputs = with_tangent(executable, point.held(), &[tangents])?;
        let results = self.engine.run(executable, &inputs)?;
        let mut results = results.into_iter().map(flat);
        let result = results.next().ok_or_else(|| LinearizeError::Internal {
            message: "a map without a result".into(),
        })?;
        let rows = result.shape().num_elements() / k;
        Ok(result.reshape([k, rows]))
    }

    fn apply_in_turn(
        &mut self,
        point: &Point,
        tangents: &Tensor<2>,
    ) -> Result<Tensor<2>, LinearizeError> {
        let [k, columns] = tangents.dims();
        let stored;
        let rows = (0..k).map(|index| {
            let row = tangents.clone().slice([index..index + 1, 0..columns]);
            row.reshape([columns])
        });
        let rows: Vec<Tensor<1>> = rows.collect();
        let group = if point.is_stored() {
            None
        } else {
            self.group(k)
        };
        let products = match group {
            Some(most) => self.apply_in_groups(point, &rows, most)?,
            None => {
                let point = if point.is_stored() {
                    point
                } else {
                    stored = self.with_residuals(point)?;
                    &stored
                };
                let pairs: Vec<_> = rows.into_iter().map(|row| (point, row)).collect();
                self.apply_each(&pairs)?
            }
        };
        let rows = products.into_iter().map(|row| row.unsqueeze_dim::<2>(0));
        let mut rows: Vec<_> = rows.collect();
        // A single row need not be copied.
        Ok(if rows.len() == 1 {
            rows.remove(0)
        } else {
            Tensor::cat(rows, 0)
        })
    }

    /// The products with tangents in groups of nearly equal size.
    fn apply_in_groups(
        &mut self,
        point: &Point,
        tangents: &[Tensor<1>],
        most: usize,
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        let num_groups = tangents.len().div_ceil(most);
        let mut products = Vec::with_capacity(tangents.len());
        for index in 0..num_groups {
            let [start, end] = [index, index + 1].map(|i| i * tangents.len() / num_groups);
            let executable = self.whole(end - start);
            let inputs = with_tangent(&executable, point.held(), &tangents[start..end])?;
            let results = self.engine.run(&executable, &inputs)?;
            products.extend(results.into_iter().map(flat));
        }
        Ok(products)
    }

    /// The products with one tangent each at several points, for a map with one tangent and one result.
    ///
    /// On Flex, products at points with stored residuals run concurrently. The results are those of
    /// [`apply`](Self::apply).
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_each(
        &mut self,
        pairs: &[(&Point, Tensor<1>)],
    ) -> Result<Vec<Tensor<1>>, LinearizeError> {
        let mut products = Vec::with_capacity(pairs.len());
        self.apply_each_into(&mut products, pairs)?;
        Ok(products)
    }

    /// Same as [`apply_each`](Self::apply_each), and adds the products to a list. After an error these are those of the
    /// pairs before the first one that failed.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply), of the first pair that failed.
    pub fn apply_each_into(
        &mut self,
        products: &mut Vec<Tensor<1>>,
        pairs: &[(&Point, Tensor<1>)],
    ) -> Result<(), LinearizeError> {
        let mut left = pairs;
        while let [(point, tangent), others @ ..] = left {
            let lanes = left.len().min(self.num_lanes());
            // The duration of a product is known after the first.
            let is_worth = lanes > 1 && self.each().pace.is_worth(left.len());
            if is_worth && left.iter().all(|(point, _)| point.is_stored()) {
                return self.apply_concurrently(products, left, lanes);
            }
            products.extend(self.apply(point, std::slice::from_ref(tangent))?);
            left = others;
        }
        Ok(())
    }

    /// How many products [`apply_each`](Self::apply_each) runs concurrently if they take long enough: on
    /// Flex one per Rayon thread, as long as they need less than a gibibyte together; elsewhere one.
    pub fn num_lanes(&self) -> usize {
        if self.engine.has_pool() {
            num_threads().min(self.max_lanes)
        } else {
            1
        }
    }

    fn apply_concurrently(
        &mut self,
        products: &mut Vec<Tensor<1>>,
        pairs: &[(&Point, Tensor<1>)],
        lanes: usize,
    ) -> Result<(), LinearizeError> {
        let executable = self.each();
        while self.lanes.len() < lanes {
            let mut engine = engine(&self.device)?;
            engine.constants(&self.map.each);
            self.lanes.push(engine);
        }
        let mut inputs = Vec::with_capacity(pairs.len());
        let mut refused = Ok(());
        for (point, tangent) in pairs {
            match with_tangent(&executable, point.held(), std::slice::from_ref(tangent)) {
                Ok(own) => inputs.push(own),
                Err(error) => {
                    // One of the earlier pairs may fail when it runs.
                    refused = Err(error);
                    break;
                }
            }
        }
        for outputs in lanes::run(&mut self.lanes[..lanes], &executable, &inputs) {
            products.extend(outputs?.into_iter().map(flat));
        }
        refused
    }
}
